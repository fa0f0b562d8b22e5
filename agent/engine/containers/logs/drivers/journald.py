"""The journald driver's messages: fields in systemd's native protocol. Pure.

Source: systemd "Native Journal Protocol"; the fields are those of moby ``daemon/logger/journald``.
"""

import struct
from collections.abc import Callable, Mapping

from agent.engine.state.records import ContainerRecord
from agent.streams.joining import Piece

_ERROR, _INFO = b"3", b"6"


def field(name: str, value: bytes) -> bytes:
    """One field of an entry."""
    if b"\n" in value:
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"


def key(name: str) -> str:
    """A label's or variable's name as a field may be called: upper case letters, digits and underscores."""
    found = "".join(letter.upper() if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return found.lstrip("_")


def formatter(record: ContainerRecord, tag: str, attributes: Mapping[str, str]) -> Callable[[Piece, bytes], bytes]:
    """What makes an entry of a piece and its time in UTC."""
    fixed = {
        "CONTAINER_ID": record.id[:12],
        "CONTAINER_ID_FULL": record.id,
        "CONTAINER_NAME": record.name,
        "CONTAINER_TAG": tag,
        "IMAGE_NAME": record.image_ref,
        "SYSLOG_IDENTIFIER": tag,
        **{key(name): value for name, value in attributes.items() if key(name)},
    }
    common = b"".join(field(name, value.encode()) for name, value in fixed.items())

    def message(piece: Piece, time: bytes) -> bytes:
        out = field("MESSAGE", piece.text) + b"PRIORITY=" + (_ERROR if piece.stream == 2 else _INFO) + b"\n" + common
        out += field("SYSLOG_TIMESTAMP", time + b"Z")
        if piece.ordinal or not piece.last:
            out += b"CONTAINER_PARTIAL_ID=" + record.id[:12].encode() + time.translate(None, b"-:.T") + b"\n"
            out += b"CONTAINER_PARTIAL_ORDINAL=%d\n" % max(1, piece.ordinal)
            out += b"CONTAINER_PARTIAL_LAST=" + (b"true\n" if piece.last else b"false\n")
            if not piece.last:
                out += b"CONTAINER_PARTIAL_MESSAGE=true\n"
        return out

    return message
