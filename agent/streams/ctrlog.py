r"""The log format of CRI and conmon, ``TIME STREAM TAG TEXT\n``, read into the bytes that Docker's API sends.

Tag P says that the line goes on in the next record of its stream, because conmon's buffer of 8 KiB was full or the
program paused in mid-line; F ends it. So the program's bytes are the texts, with a newline after each F. A program that
ended without a newline leaves a last P with no F. Source: conmon ``src/ctr_logging.c``.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from agent.streams import stdcopy
from agent.streams.joining import Joiner, Piece

# 2026-01-02T03:04:05.123456789+00:00, a space, ``stdout F `` or the like.
STAMP = 35
TEXT = STAMP + 1 + 9
UTC_ZONE = b"+00:00"
LONGEST = 64 * 1024
"""conmon's records are of 8 KiB and a head: what has no end after so much is none of them."""

RECORD = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF]) ", re.DOTALL)
STREAMS = {b"stdout": stdcopy.STDOUT, b"stderr": stdcopy.STDERR}


def stamp(nanoseconds: int) -> bytes:
    """A time as records have it in UTC, so that two compare as bytes: ``2026-01-02T03:04:05.000000000``."""
    seconds, rest = divmod(max(nanoseconds, 0), 1_000_000_000)
    # datetime ends with the year 9999; a client may ask for later and means "never".
    moment = datetime.fromtimestamp(min(seconds, 253402300799), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}".encode()


def in_utc(text: bytes) -> bytes:
    """A record's time without its zone, in UTC."""
    if text.endswith((b"Z", UTC_ZONE)):
        return text[:29]
    whole = datetime.fromisoformat(text[:19].decode() + text[29:].decode()).astimezone(UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}".encode() + text[19:29]


class _Heads(dict[int, bytes]):
    """Frame headers by length of record: nearly every log has few lengths."""

    def __init__(self, stream: int, more: int) -> None:
        super().__init__()
        self._stream, self._more = stream, more

    def __missing__(self, length: int) -> bytes:
        made = stdcopy.head(self._stream, length - TEXT + self._more)
        if len(self) < 4096:
            self[length] = made
        return made


class Renderer:
    """Turns blocks of a log file into the bytes of an answer.

    Bare text comes as it was written, record by record. Where something stands before each line or lines are chosen by
    their time, a line is put together first (``joining``).

    Args:
        stdout, stderr: which streams are wanted.
        framed: with Docker's frame headers (no terminal).
        timestamps: each line begins with its time.
        since, until: nanoseconds; lines outside are left out. 0 is no bound.
        details: text before each line, from the log options ``labels`` and ``env``.
        skip: leave out so many lines, counted by their ends.
    """

    def __init__(
        self,
        *,
        stdout: bool = True,
        stderr: bool = True,
        framed: bool = True,
        timestamps: bool = False,
        since: int = 0,
        until: int = 0,
        details: bytes | None = None,
        skip: int = 0,
    ) -> None:
        self._wanted = {stdcopy.STDOUT: stdout, stdcopy.STDERR: stderr}
        self._framed, self._timestamps, self._details = framed, timestamps, details
        self._since = stamp(since) if since else b""
        self._until = stamp(until) if until else b""
        self._skip = skip
        self._bare = not (timestamps or since or until or details is not None)
        self._heads = {
            name + tag: (_Heads(stream, more), b"\n"[:more])
            for name, stream in ((b"stdout", stdcopy.STDOUT), (b"stderr", stdcopy.STDERR))
            for tag, more in ((b" F ", 1), (b" P ", 0))
            if self._wanted[stream]
        }
        self._rest = b""
        self._joiner = Joiner()
        self.over = False
        """A line later than ``until`` has been seen: there is no use in reading on."""

    def skip(self, lines: int) -> None:
        """Leave out so many of the lines that end next."""
        self._skip = lines

    def feed(self, block: bytes) -> bytes:
        """What is to be sent for the next bytes of the file."""
        data = self._rest + block if self._rest else block
        cut = data.rfind(b"\n")
        if cut < 0:
            self._rest = data if len(data) <= LONGEST else b""
            return b""
        self._rest = data[cut + 1 :]
        lines = data[:cut].split(b"\n")
        if self._bare and not self._skip and not self._joiner.pending:
            return self._quick(lines)
        return b"".join([self._record(line) for line in lines])

    def end(self) -> bytes:
        """What is to be sent of lines that have no end, once no more will come."""
        return self._pieces(self._joiner.rest())

    def _quick(self, lines: list[bytes]) -> bytes:
        """The common case, without a function call for each line: 300,000 lines in a tenth of a second."""
        out: list[bytes] = []
        add, find, framed = out.append, self._heads.get, self._framed
        for line in lines:
            found = find(line[STAMP + 1 : TEXT])
            if found is not None:
                if framed:
                    add(found[0][len(line)])
                add(line[TEXT:])
                add(found[1])
            elif line[STAMP : STAMP + 4] != b" std":
                add(self._record(line))
        return b"".join(out)

    def _record(self, line: bytes) -> bytes:
        # A record may be torn, by a power cut or a full disk, and the next one stand right behind what there is of it.
        # Nobody can say whose bytes the torn ones were.
        found = RECORD.match(line) or RECORD.search(line)
        if found is None:
            return b""
        stream, ends, text = STREAMS[found[2]], found[3] == b"F", line[found.end() :]
        if self._bare and not self._skip and not self._joiner.is_open(stream):
            return self._sent(stream, text + (b"\n" if ends else b""))
        if self._until and not self._joiner.pending and in_utc(found[1]) > self._until:
            self.over = True
            return b""
        return self._pieces(self._joiner.feed(stream, found[1], text, ends=ends))

    def _pieces(self, pieces: Iterable[Piece]) -> bytes:
        return b"".join([self._piece(piece) for piece in pieces])

    def _piece(self, piece: Piece) -> bytes:
        if self._skip:
            self._skip -= piece.last
            return b""
        if not self._wanted[piece.stream]:
            return b""
        text = piece.text + (b"\n" if piece.last else b"")
        if not self._bare:
            time = in_utc(piece.time)
            if (self._until and time > self._until) or (self._since and time < self._since):
                return b""
            text = (time + b"Z " if self._timestamps else b"") + (self._details or b"") + text
        return self._sent(piece.stream, text)

    def _sent(self, stream: int, text: bytes) -> bytes:
        if not self._wanted[stream]:
            return b""
        return stdcopy.frame(stream, text) if self._framed else text
