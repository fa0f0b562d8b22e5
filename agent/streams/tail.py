"""Where a wanted part of a log begins, found without reading it: a tail of 10, or the last minute, of a 10 GB file."""

from collections.abc import Callable

BLOCK = 64 * 1024

_ENDS = (b" stdout F ", b" stderr F ")
_STAMP = 35


def start(read_at: Callable[[int, int], bytes], size: int, lines: int) -> tuple[int, int]:
    """The offset at which the last ``lines`` lines begin.

    A line is a run of P records closed by an F record, and counts once; a last line without its F counts too.

    Args:
        read_at: offset and length → bytes of the file.
        size: how much of the file counts; it may be growing.
        lines: how many are wanted.

    Returns:
        The offset, and how many lines are still missing, to be found in an older file.
    """
    if lines <= 0 or size <= 0:
        return size, max(lines, 0)
    at, tail, found, edge = size, b"", 0, size
    last = True
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
            if record[_STAMP : _STAMP + 10] in _ENDS or last:
                if found == lines:
                    return edge, 0
                found += 1
            last = False
            edge = offset
    return 0, lines - found


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
