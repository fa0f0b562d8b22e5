"""Docker's frames on a stream without a terminal: one byte of stream, three zeros, four of length, then the data.

Docker Engine API: ContainerAttach, "Stream format".
"""

import struct
from collections.abc import Iterator

STDIN, STDOUT, STDERR, SYSTEM = 0, 1, 2, 3
HEADER = 8
# A reader allocates what a header announces; no engine sends near as much in one frame.
LARGEST = 16 * 1024 * 1024

_HEAD = struct.Struct(">BxxxI")


class BadFrame(ValueError):
    """The bytes are no frame: an unknown stream, or a length that nobody would send."""


def head(stream: int, length: int) -> bytes:
    """The header of a frame."""
    return _HEAD.pack(stream, length)


def frame(stream: int, data: bytes) -> bytes:
    """One frame."""
    return _HEAD.pack(stream, len(data)) + data


class Reader:
    """Cuts received bytes into frames, however they were split on the way."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The whole frames that are now known, as stream and data.

        Raises:
            BadFrame: what came is not framed; the reader is of no use any more.
        """
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= HEADER:
            stream, length = _HEAD.unpack_from(self._buffer, at)
            if stream > SYSTEM or length > LARGEST:
                raise BadFrame(f"not a frame: stream {stream}, {length} bytes")
            if len(self._buffer) - at - HEADER < length:
                break
            yield stream, bytes(self._buffer[at + HEADER : at + HEADER + length])
            at += HEADER + length
        del self._buffer[:at]

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not yet whole; not 0 at the end of a stream means that it was cut."""
        return len(self._buffer)
