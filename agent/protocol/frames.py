"""How the streams of one link share its binary messages.

    message = kind (1 byte) · stream id (4 bytes, big endian) · payload

OPEN, ACCEPT and RESET carry a small JSON object, DATA bytes, CREDIT four bytes, END nothing. Text messages of the
same WebSocket are control messages (reports.py) and never pass through here.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

_HEAD: Final = struct.Struct("!BI")
_CREDIT: Final = struct.Struct("!I")

MAX_DATA: Final = 32 * 1024
MAX_HEAD: Final = 64 * 1024


class Kind(IntEnum):
    """What a frame does to its stream."""

    OPEN = 1
    ACCEPT = 2
    DATA = 3
    END = 4
    CREDIT = 5
    RESET = 6


class BadFrame(ValueError):
    """The other end broke the framing: the connection cannot go on."""


@dataclass(frozen=True)
class Frame:
    """One frame; payload as it stands on the wire."""

    kind: Kind
    stream: int
    payload: bytes = b""

    def encode(self) -> bytes:
        return _HEAD.pack(self.kind, self.stream) + self.payload

    def json(self) -> dict[str, Any]:
        """The payload of OPEN, ACCEPT and RESET.

        Raises:
            BadFrame: not a JSON object.
        """
        try:
            value = json.loads(self.payload)
        except (ValueError, RecursionError):
            raise BadFrame(f"{self.kind.name} without JSON") from None
        if not isinstance(value, dict):
            raise BadFrame(f"{self.kind.name} without an object")
        return value

    def credit(self) -> int:
        """The payload of CREDIT.

        Raises:
            BadFrame: not four bytes.
        """
        if len(self.payload) != _CREDIT.size:
            raise BadFrame("CREDIT of a wrong length")
        return int(_CREDIT.unpack(self.payload)[0])


def decode(message: bytes) -> Frame:
    """Read one binary message.

    Raises:
        BadFrame: too short, of an unknown kind, or larger than its kind may be.
    """
    if len(message) < _HEAD.size:
        raise BadFrame("frame without a head")
    kind, stream = _HEAD.unpack_from(message)
    try:
        known = Kind(kind)
    except ValueError:
        raise BadFrame(f"unknown frame kind {kind}") from None
    payload = bytes(message[_HEAD.size :])
    if len(payload) > (MAX_DATA if known is Kind.DATA else MAX_HEAD):
        raise BadFrame(f"{known.name} of {len(payload)} bytes")
    return Frame(known, stream, payload)


def with_json(kind: Kind, stream: int, value: dict[str, Any]) -> Frame:
    """A frame whose payload is a JSON object."""
    return Frame(kind, stream, json.dumps(value, separators=(",", ":")).encode())


def with_credit(stream: int, amount: int) -> Frame:
    """A frame that lets the other end send `amount` more bytes."""
    return Frame(Kind.CREDIT, stream, _CREDIT.pack(amount))
