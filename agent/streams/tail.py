"""Where a wanted part of a log begins, found without reading it: a tail of 10, or the last minute, of a 10 GB file."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from agent.streams.ctrlog import RECORD

BLOCK = 64 * 1024

_STAMP = 35
_ENDS = b" F "
_STREAMS = frozenset({b" stdout", b" stderr"})


class Start(NamedTuple):
    """Where the wanted lines begin."""

    offset: int
    missing: int = 0
    """How many lines are not in this file, to be found in an older one."""
    skip: int = 0
    """Lines of the other stream that end behind the offset and are not wanted, counted by their ends."""


def start(read_at: Callable[[int, int], bytes], size: int, lines: int) -> Start:
    """The place at which the last ``lines`` lines begin.

    A line is a run of a stream's P records closed by its F record, and counts once; a last line without its F counts
    too. The two streams' records may lie between each other.

    Args:
        read_at: offset and length → bytes of the file.
        size: how much of the file counts; it may be growing.
        lines: how many are wanted.
    """
    if lines <= 0 or size <= 0:
        return Start(size, max(lines, 0))
    # The first record known of each stream's oldest wanted line, while that line's beginning is looked for.
    edges: dict[bytes, int] = {}
    seen: set[bytes] = set()
    unwanted: list[int] = []
    found, edge, limit = 0, size, 0
    for offset, record in _backwards(read_at, size):
        if unwanted and offset < limit:
            break
        stream, ends = record[_STAMP : _STAMP + 7], record[_STAMP + 7 : _STAMP + 10] == _ENDS
        if stream not in _STREAMS:
            # Torn: what stands behind the torn part counts, if anything does.
            whole = RECORD.search(record)
            if whole is None:
                continue
            stream, ends = b" " + whole[2], whole[3] == b"F"
        if ends or stream not in seen:
            seen.add(stream)
            if found < lines:
                found += 1
                edges[stream] = edge = offset
                continue
            # One too many, so what is wanted of this stream is whole; the other's line may have begun before.
            edges.pop(stream, None)
            if not edges:
                break
            limit = limit if unwanted else offset - BLOCK
            unwanted += [offset] * ends
        elif stream in edges:
            edges[stream] = edge = offset
            limit = offset - BLOCK
    return Start(edge if found == lines else 0, lines - found, sum(offset >= edge for offset in unwanted))


def _backwards(read_at: Callable[[int, int], bytes], size: int) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each record, the last one first."""
    at, tail = size, b""
    while at > 0:
        begin = max(0, at - BLOCK)
        data = read_at(begin, at - begin) + tail
        at = begin
        # Whole records of this block: all but a first one that begins in an earlier block.
        first = 0 if begin == 0 else data.find(b"\n") + 1
        if begin and not first:
            tail = data
            continue
        tail, offset = data[:first], begin + len(data)
        for record in reversed(_split(data[first:])):
            offset -= len(record)
            yield offset, record


def since(read_at: Callable[[int, int], bytes], size: int, stamp: bytes) -> int:
    """An offset at or shortly before the first record that is not older than ``stamp``; always a record's begin.

    Records are in the order of their times, in UTC. Where they are not (the clock was set back), too much is given.

    Args:
        read_at: offset and length → bytes of the file.
        size: how much of the file counts.
        stamp: a time as ``ctrlog.stamp`` makes it.
    """
    low, high = 0, size
    while high - low > BLOCK:
        middle = (low + high) // 2
        data = read_at(middle, min(BLOCK, high - middle))
        begin = data.find(b"\n") + 1
        time = data[begin : begin + len(stamp)]
        if not begin or len(time) < len(stamp):
            return low  # a record longer than a block: good enough
        if time < stamp:
            low = middle + begin
        else:
            high = middle
    return low


def _split(data: bytes) -> list[bytes]:
    """Lines by line feed alone: a program's carriage returns and the like are its own."""
    parts = data.split(b"\n")
    whole = [part + b"\n" for part in parts[:-1]]
    return [*whole, parts[-1]] if parts[-1] else whole
