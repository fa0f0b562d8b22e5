"""Maps of holes: which parts of a file an archive holds. GNU's own header, and pax 0.0, 0.1 and 1.0."""

from collections.abc import Callable

from agent.engine.images.untar.tape import BLOCK, BadArchive, Tape, TooLarge

Hole = tuple[int, int]
"""Offset and length of bytes that are stored."""
_PAIR, _IN_HEADER, _IN_BLOCK = 24, 4, 21
_DIGITS_MAX = 20


def from_header(tape: Tape, block: bytes, number: Callable[[bytes], int], limit: int) -> list[Hole]:
    """GNU's old format: four pairs in the header, and 21 in each block behind it.

    Raises:
        TooLarge: more blocks than the limit has bytes.
    """
    found = _pairs(block[386:], _IN_HEADER, number)
    more, taken = block[482], 0
    while more:
        block = tape.read(BLOCK)
        taken += BLOCK
        if len(block) < BLOCK:
            raise BadArchive("unexpected EOF")
        if taken > limit:
            raise TooLarge(f"a map of holes of more than {limit} bytes")
        found += _pairs(block, _IN_BLOCK, number)
        more = block[504]
    return found


def _pairs(raw: bytes, count: int, number: Callable[[bytes], int]) -> list[Hole]:
    fields = (raw[at : at + _PAIR] for at in range(0, count * _PAIR, _PAIR))
    return [(number(pair[:12]), number(pair[12:])) for pair in fields if pair[0]]


def from_pax(rows: list[tuple[bytes, bytes]]) -> list[Hole]:
    """pax 0.0: a record for each number."""
    return [(_number(offset), _number(length)) for offset, length in rows]


def from_map(text: bytes) -> list[Hole]:
    """pax 0.1: one record with all numbers."""
    numbers = [_number(word) for word in text.split(b",")] if text else []
    return _paired(numbers)


def from_payload(tape: Tape, stored: int, limit: int) -> list[Hole]:
    """pax 1.0: lines at the beginning of the content, filled up to a block.

    Raises:
        TooLarge: longer than the limit.
    """
    text, wanted = b"", -1
    while wanted < 0 or text.count(b"\n") < wanted:
        if len(text) + BLOCK > limit:
            raise TooLarge(f"a map of holes of more than {limit} bytes")
        block = tape.read(BLOCK)
        # The last block of a short entry may be padding as well, which is not the map's.
        if len(block) < BLOCK or len(text) >= stored:
            raise BadArchive("unexpected EOF in a map of holes")
        text += block
        if wanted < 0 and b"\n" in text:
            wanted = 2 * _number(text.partition(b"\n")[0]) + 1
    return _paired([_number(line) for line in text.split(b"\n")[1:wanted]])


def _paired(numbers: list[int]) -> list[Hole]:
    if len(numbers) % 2:
        raise BadArchive("archive/tar: invalid tar header: half a pair in a map of holes")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > _DIGITS_MAX:
        raise BadArchive("archive/tar: invalid tar header")
    return int(text)
