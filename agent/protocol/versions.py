"""Which protocol the two ends speak, and the exact strings that their keys sign.

Both ends build these strings from this module only, so that they cannot drift apart.
"""

from __future__ import annotations

import hashlib
from typing import Final

PROTOCOL: Final = 1
LINK_PATH: Final = "/agent/v1/link"
ENROL_PATH: Final = "/agent/v1/enrol"

# What an agent of this version can do; the control plane offers nothing that is not named here.
CAPABILITIES: Final = ("orders", "streams", "bell", "blob", "stats")

HEARTBEAT_SECONDS: Final = 15.0
HANDSHAKE_SECONDS: Final = 10.0
STALE_SECONDS: Final = 30.0
OFFLINE_SECONDS: Final = 45.0

MAX_MESSAGE: Final = 1 << 20


def server_statement(url: str, spki: str, nonce: str) -> bytes:
    """What the control plane signs when an agent connects."""
    return f"v1|server|{url}|{spki}|{nonce}".encode()


def agent_statement(host_id: str, url: str, spki: str, nonce: str, boot_id: str) -> bytes:
    """What the agent signs in answer, bound to this connection by nonce and certificate."""
    return f"v1|agent|{host_id}|{url}|{spki}|{nonce}|{boot_id}".encode()


def enrol_statement(url: str, token_hash: str, public_key: str, facts_digest: str) -> bytes:
    """What a new host signs when it enrols: proof that it holds the key that it asks to be pinned."""
    return f"v1|enrol|{url}|{token_hash}|{public_key}|{facts_digest}".encode()


def enrolled_statement(url: str, host_id: str, public_key: str, ca_hash: str) -> bytes:
    """What the control plane signs in its answer to an enrolment.

    `ca_hash` is the SHA-256 of the private CA that it hands over (PEM), or of nothing where it has a public one.
    """
    return f"v1|enrolled|{url}|{host_id}|{public_key}|{ca_hash}".encode()


def key_id(public_key: bytes) -> str:
    """The name of a raw Ed25519 public key: hexadecimal SHA-256, the KEYHASH of a join string."""
    return hashlib.sha256(public_key).hexdigest()
