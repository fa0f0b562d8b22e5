"""A signed order as it crosses the link: `{v, kid, order_id, host_id, seq, op, args, not_after}`.

Signed are the exact bytes. They travel as base64 beside `sig` and `kid`, and the receiver verifies before it parses,
so two ends never need to agree on how JSON is written. Signing and verifying are callables: this package knows no
cryptography library.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.protocol.orders import BadOrder, check_args

VERSION: Final = 1

Sign = Callable[[bytes], bytes]
# (kid, signature, message) -> whether a key of that name signed the message
Verify = Callable[[str, bytes, bytes], bool]


class Refused(Exception):
    """An envelope that this host must not carry out. `code` is for machines, the text for people."""

    def __init__(self, code: str, message: str, order_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.order_id = order_id


@dataclass(frozen=True)
class Envelope:
    """What an order says once its signature holds. `not_after` is seconds of the server's clock."""

    order_id: str
    host_id: str
    seq: int
    op: str
    args: dict[str, Any]
    not_after: float


def seal(envelope: Envelope, *, kid: str, sign: Sign) -> dict[str, str]:
    """Write and sign an envelope: `{"body": base64, "sig": base64, "kid": …}`."""
    body = json.dumps(
        {
            "v": VERSION,
            "kid": kid,
            "order_id": envelope.order_id,
            "host_id": envelope.host_id,
            "seq": envelope.seq,
            "op": envelope.op,
            "args": envelope.args,
            "not_after": envelope.not_after,
        },
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    return {
        "body": base64.b64encode(body).decode(),
        "sig": base64.b64encode(sign(body)).decode(),
        "kid": kid,
    }


def unseal(sealed: Mapping[str, Any], *, verify: Verify) -> Envelope:
    """Verify a sealed envelope, then parse it.

    Raises:
        Refused: `malformed`, `bad_signature`, `bad_version` or `bad_order`.
    """
    try:
        body = base64.b64decode(sealed["body"], validate=True)
        sig = base64.b64decode(sealed["sig"], validate=True)
        kid = sealed["kid"]
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Refused("malformed", f"not a sealed order: {error}") from None
    if not isinstance(kid, str) or not verify(kid, sig, body):
        raise Refused("bad_signature", "the order's signature does not hold")
    try:
        fields = json.loads(body)
        envelope = Envelope(
            order_id=_text(fields, "order_id"),
            host_id=_text(fields, "host_id"),
            seq=int(fields["seq"]),
            op=_text(fields, "op"),
            args=dict(fields["args"]),
            not_after=float(fields["not_after"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("malformed", f"the order cannot be read: {error}") from None
    if fields.get("v") != VERSION or fields.get("kid") != kid:
        raise Refused("bad_version", "the order is of another version, or names another key", envelope.order_id)
    try:
        check_args(envelope.op, envelope.args)
    except BadOrder as error:
        raise Refused("bad_order", str(error), envelope.order_id) from None
    return envelope


def admit(envelope: Envelope, *, host_id: str, server_now: float) -> None:
    """Refuse what is meant for another host, or comes too late.

    Raises:
        Refused: `wrong_host` or `expired`.
    """
    if envelope.host_id != host_id:
        raise Refused("wrong_host", "the order is for another host", envelope.order_id)
    if server_now > envelope.not_after:
        raise Refused("expired", "the order came after its not_after", envelope.order_id)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be text")
    return value
