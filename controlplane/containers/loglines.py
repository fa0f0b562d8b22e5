"""Log lines out of the engine's bytes: frames of two streams, or one raw stream for a terminal. Pure.

Docker Engine API: ContainerLogs; the frames are those of ContainerAttach, "Stream format". The log is asked for with
timestamps: a line longer than an engine's buffer of 16 KiB comes in frames that each begin with the line's time.
"""

import json
import struct
from collections.abc import Iterator
from typing import Final

from controlplane.common.errors import EngineFailed

_HEADER: Final = struct.Struct(">BxxxI")
NAMES: Final = {1: "stdout", 2: "stderr"}
LARGEST: Final = 16 * 1024 * 1024


class LogLines:
    """Cuts bytes into (stream, line) pairs however they were split on the way; the last line needs no newline."""

    def __init__(self, *, tty: bool) -> None:
        self._tty = tty
        self._frames = bytearray()
        self._open: dict[int, bytearray] = {}

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The whole lines that are now known.

        Raises:
            EngineFailed: the bytes are no frames.
        """
        if self._tty:
            yield from self._lines(1, data)
            return
        for stream, payload in self._payloads(data):
            yield from self._lines(stream, payload)

    def end(self) -> Iterator[tuple[str, bytes]]:
        """What was left without a newline."""
        for stream, rest in self._open.items():
            if rest:
                yield NAMES[stream], bytes(rest)
        self._open = {}

    def _payloads(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        self._frames += data
        while len(self._frames) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._frames)
            if stream not in {0, *NAMES} or length > LARGEST:
                raise EngineFailed("The engine's log is not framed as it should be")
            if len(self._frames) < _HEADER.size + length:
                return
            yield stream or 1, bytes(self._frames[_HEADER.size : _HEADER.size + length])
            del self._frames[: _HEADER.size + length]

    def _lines(self, stream: int, payload: bytes) -> Iterator[tuple[str, bytes]]:
        rest = self._open.setdefault(stream, bytearray())
        # a further frame of the same line: its time is not part of the line
        rest += payload.partition(b" ")[2] if rest and not self._tty else payload
        *whole, last = bytes(rest).split(b"\n")
        self._open[stream] = bytearray(last)
        for line in whole:
            yield NAMES[stream], line


def split_time(line: bytes) -> tuple[str, str]:
    """The engine's time and the text, of a line that was asked for with timestamps."""
    at, _, text = line.partition(b" ")
    return at.decode("ascii", "replace"), text.decode("utf-8", "replace")


def as_text(line: bytes, *, timestamps: bool) -> bytes:
    """A line of a text file, byte for byte."""
    return (line if timestamps else line.partition(b" ")[2]) + b"\n"


def as_json(stream: str, line: bytes) -> bytes:
    """A line of newline-delimited JSON."""
    at, text = split_time(line)
    return json.dumps({"at": at, "stream": stream, "text": text}, ensure_ascii=False).encode() + b"\n"


def unix_time(nanoseconds: int) -> str:
    """A time as the engine's query takes it."""
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
