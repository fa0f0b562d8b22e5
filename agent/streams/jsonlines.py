"""JSON objects one after the other on a stream: progress, events, stats. A newline between them is usual only."""

import json
from collections.abc import Iterator
from typing import Any

# Longer than any progress line or event; what exceeds it is not such a stream.
LONGEST = 16 * 1024 * 1024

_decoder = json.JSONDecoder()


class BadLine(ValueError):
    """The bytes are no JSON, or one value is unreasonably long."""


class Reader:
    """Gives each value once it is whole."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Any]:
        """The values of all lines that have ended.

        Raises:
            BadLine: a line is not JSON, or does not end.
        """
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            yield from _values(line)
        if len(self._buffer) > LONGEST:
            raise BadLine(f"no end of line within {LONGEST} bytes")

    def end(self) -> Iterator[Any]:
        """The values of a last line without a newline."""
        line, self._buffer = self._buffer, b""
        yield from _values(line)


def _values(line: bytes) -> Iterator[Any]:
    try:
        text = line.decode().strip()
        while text:
            value, end = _decoder.raw_decode(text)
            yield value
            text = text[end:].lstrip()
    except ValueError as error:
        raise BadLine(f"not JSON: {line[:80]!r}") from error
