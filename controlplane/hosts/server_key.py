"""The control plane's Ed25519 key: agents pin it when they enrol, and obey no other.

`LONGSHORE_DATA/secrets/link.key`, PEM, 0600. Several web processes on several machines share the file.
"""

import os
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from agent.protocol.versions import key_id


def sign(message: bytes) -> bytes:
    """Sign as the control plane."""
    return _key(_path()).sign(message)


def public_key() -> bytes:
    """The raw public key, 32 bytes."""
    return _key(_path()).public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_hash() -> str:
    """The KEYHASH of a join string, and the `kid` of an envelope."""
    return key_id(public_key())


def certificate_spki() -> str:
    """SHA-256 of the public key in the TLS certificate that agents see; empty without TLS."""
    path = os.environ.get("LONGSHORE_TLS_CERT", "")
    if not settings.LONGSHORE_URL.startswith("https:") or not path:
        return ""
    return _spki(Path(path), Path(path).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _spki(path: Path, changed: int) -> str:
    public = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def _path() -> Path:
    return Path(settings.LONGSHORE_DATA) / "secrets" / "link.key"


@lru_cache(maxsize=4)
def _key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        _make(path)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} is not an Ed25519 key")
    return key


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        # link, unlike rename, lets the first of two starting processes win
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
