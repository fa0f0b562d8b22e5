"""Put a program's lines together from conmon's records: a line comes whole, or in pieces of 16 KiB where it is longer.

dockerd does the same before it hands a line to a log driver or gives it a time. A piece has the time of the record that
filled it; all pieces of one line have the first one's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

PIECE = 16 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """A line, or a part of one."""

    stream: int
    time: bytes
    """As in the record."""
    text: bytes
    """Without the newline."""
    last: bool = True
    """The newline follows, so the line ends here."""
    ordinal: int = 0
    """0: the line is in one piece; else the piece's place in it, from 1."""


@dataclass(slots=True)
class _Open:
    text: bytearray = field(default_factory=bytearray)
    time: bytes = b""
    newest: bytes = b""
    ordinal: int = 0


class Joiner:
    """Feed it record by record."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    @property
    def pending(self) -> bool:
        """A line has begun and not ended."""
        return bool(self._open)

    def is_open(self, stream: int) -> bool:
        """A line of this stream has begun and not ended."""
        return stream in self._open

    def feed(self, stream: int, time: bytes, text: bytes, *, ends: bool) -> Iterator[Piece]:
        """The pieces that this record completes.

        Args:
            stream: 1 or 2.
            time: the record's.
            text: the record's.
            ends: a newline follows (tag F).
        """
        line = self._open.get(stream)
        if line is None:
            if ends and len(text) <= PIECE:
                yield Piece(stream, time, text)
                return
            line = self._open[stream] = _Open()
        line.text += text
        line.newest = time
        while len(line.text) > PIECE or (len(line.text) == PIECE and not ends):
            line.time = line.time or time
            line.ordinal += 1
            yield Piece(stream, line.time, bytes(line.text[:PIECE]), last=False, ordinal=line.ordinal)
            del line.text[:PIECE]
        if ends:
            del self._open[stream]
            yield Piece(stream, line.time or time, bytes(line.text), ordinal=line.ordinal and line.ordinal + 1)

    def rest(self) -> Iterator[Piece]:
        """What began and has no newline: the program has ended, or nobody waits longer."""
        for stream, line in self._open.items():
            if line.text:
                ordinal = line.ordinal and line.ordinal + 1
                yield Piece(stream, line.time or line.newest, bytes(line.text), last=False, ordinal=ordinal)
        self._open.clear()
