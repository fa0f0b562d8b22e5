"""An engine's log stream as lines with their times; values to values.

With `timestamps=1` an engine writes `TIME TEXT` for each piece of a line. A line longer than its buffer comes as
several frames, each with the time: only the first one's counts.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

LONGEST: Final = 1 << 20
_HEAD: Final = struct.Struct(">BxxxI")

Line = tuple[str, str, str]
"""Time, `o` or `e`, text."""


class NotFramed(ValueError):
    """The bytes are not Docker's frames."""


@dataclass
class Lines:
    """Cuts a stream into lines. `tty`: it is not framed, and all of it is standard output."""

    tty: bool
    _buffer: bytearray = field(default_factory=bytearray)
    _open: dict[str, bytes] = field(default_factory=dict)

    def feed(self, data: bytes) -> Iterator[Line]:
        """The lines that are now complete.

        Raises:
            NotFramed: see there.
        """
        if self.tty:
            yield from self._plain(data)
            return
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._buffer, at)
            if kind > 3 or length > 16 * LONGEST:
                raise NotFramed(f"stream {kind}, {length} bytes")
            if len(self._buffer) - at - _HEAD.size < length:
                break
            start = at + _HEAD.size
            yield from self._frame("e" if kind == 2 else "o", bytes(self._buffer[start : start + length]))
            at = start + length
        del self._buffer[:at]

    def rest(self) -> Iterator[Line]:
        """Lines that never got their end."""
        for stream, text in self._open.items():
            if text:
                yield _line(stream, text)
        self._open.clear()

    def _frame(self, stream: str, payload: bytes) -> Iterator[Line]:
        before = self._open.pop(stream, b"")
        if before:
            # the piece's own time is not part of the line
            payload = before + payload.partition(b" ")[2]
        *whole, rest = payload.split(b"\n")
        for text in whole:
            yield _line(stream, text)
        if len(rest) > LONGEST:
            yield _line(stream, rest)
            rest = b""
        if rest:
            self._open[stream] = rest

    def _plain(self, data: bytes) -> Iterator[Line]:
        *whole, rest = (self._open.pop("o", b"") + data).split(b"\n")
        for text in whole:
            yield _line("o", text)
        if len(rest) > LONGEST:
            yield _line("o", rest)
            rest = b""
        if rest:
            self._open["o"] = rest


def _line(stream: str, raw: bytes) -> Line:
    at, _, text = raw.partition(b" ")
    return at.decode("ascii", errors="replace"), stream, text.rstrip(b"\r").decode(errors="replace")


def engine_time(at: str) -> str:
    """RFC 3339 as the engine's `since` takes it without losing a nanosecond: seconds and nine digits.

    Raises:
        ValueError: not a time.
    """
    whole, _, rest = at.removesuffix("Z").partition(".")
    digits, zone = rest, "+00:00"
    for sign in "+-":
        if sign in rest:
            digits, _, offset = rest.partition(sign)
            zone = sign + offset
    seconds = int(datetime.fromisoformat(whole if "+" in whole else whole + zone).timestamp())
    return f"{seconds}.{(digits + '000000000')[:9]}"


class Lag:
    """How far behind its writer a reader is, by the lines' own times: no two clocks need to agree."""

    def __init__(self) -> None:
        self._least: float | None = None
        self._first: float | None = None
        self._last = 0.0
        self._lines = 0

    def took(self, at: str, lines: int, now: float) -> float:
        """So many lines came, the last one of that time; how many seconds it is later than any was before it."""
        try:
            self._last = float(engine_time(at))
        except ValueError:
            return 0.0
        self._lines += lines
        if self._first is None:
            self._first = self._last
        passed = now - self._last
        self._least = passed if self._least is None else min(self._least, passed)
        return passed - self._least

    def lines_between(self, start: str, end: str) -> int:
        """About how many lines lie between two times, at the pace of those that came; at least one."""
        seconds = self._last - self._first if self._first is not None else 0.0
        pace = self._lines / seconds if seconds > 0 else 0.0
        try:
            return max(1, round(pace * (float(engine_time(end)) - float(engine_time(start)))))
        except ValueError:
            return 1
