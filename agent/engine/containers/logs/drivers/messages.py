"""Cut a log file into a program's lines, each with the place from which one would go on after it. Pure.

The two streams' records may lie between each other: while a line of one is open and the other's go out, one would have
to begin again where the open line began, and leave out as many lines as went out since. A place is both numbers.
"""

from collections.abc import Iterator

from agent.streams import ctrlog
from agent.streams.joining import Joiner, Piece

_SKIP_BITS = 16
_SKIP_MOST = (1 << _SKIP_BITS) - 1


class Cutter:
    """Reads one file from a place on."""

    def __init__(self, place: int) -> None:
        self.offset = place >> _SKIP_BITS
        """Where in the file the first block begins."""
        self._skip = place & _SKIP_MOST
        self._at, self._rest, self._joiner = self.offset, b"", Joiner()
        self._begun: dict[int, int] = {}
        self._since: dict[int, int] = {}

    @property
    def place(self) -> int:
        """Where one would go on now."""
        if not self._begun:
            return self._at << _SKIP_BITS
        stream = min(self._begun, key=lambda one: self._begun[one])
        return self._begun[stream] << _SKIP_BITS | min(_SKIP_MOST, self._since[stream])

    def feed(self, block: bytes) -> Iterator[tuple[Piece, int]]:
        """The pieces that a block completes."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            begin = self._at
            self._at += len(line) + 1
            found = ctrlog.RECORD.match(line) or ctrlog.RECORD.search(line)
            if found is None:
                continue
            stream, ends = ctrlog.STREAMS[found[2]], found[3] == b"F"
            if not ends and stream not in self._begun:
                self._begun[stream], self._since[stream] = begin, 0
            for piece in self._joiner.feed(stream, found[1], line[found.end() :], ends=ends):
                yield from self._out(piece)
        if len(self._rest) > ctrlog.LONGEST:
            self._at += len(self._rest)
            self._rest = b""

    def end(self) -> Iterator[tuple[Piece, int]]:
        """What has no newline, once no more will come."""
        for piece in list(self._joiner.rest()):
            self._begun.pop(piece.stream, None)
            yield from self._out(piece)
        self._begun.clear()

    def _out(self, piece: Piece) -> Iterator[tuple[Piece, int]]:
        if piece.last:
            self._begun.pop(piece.stream, None)
        # An empty line counts: begun again in its middle, a line may be empty that was not.
        for stream in self._begun:
            self._since[stream] += 1
        if self._skip:
            self._skip -= 1
        elif piece.text:
            yield piece, self.place
