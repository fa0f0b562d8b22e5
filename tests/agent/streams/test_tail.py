"""The last lines are found without reading the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.streams import ctrlog, stdcopy, tail

T = b"2026-01-02T03:04:05.000000000+00:00"


def _records(*lines: tuple[bytes, bytes]) -> bytes:
    return b"".join(T + b" stdout " + tag + b" " + text + b"\n" for tag, text in lines)


def _start(data: bytes, lines: int) -> tuple[bytes, int]:
    at, missing, _ = tail.start(lambda offset, length: data[offset : offset + length], len(data), lines)
    return data[at:], missing


def test_the_last_lines() -> None:
    data = _records(*((b"F", b"%d" % n) for n in range(9)))
    assert _start(data, 2) == (_records((b"F", b"7"), (b"F", b"8")), 0)
    assert _start(data, 0) == (b"", 0)
    assert _start(data, 9) == (data, 0)
    assert _start(data, 12) == (data, 3)
    assert _start(b"", 3) == (b"", 3)


def test_a_line_in_parts_counts_once_and_an_open_one_too() -> None:
    data = _records((b"F", b"a"), (b"P", b"b"), (b"P", b"b"), (b"F", b"b"), (b"P", b"open"))
    assert _start(data, 1)[0] == _records((b"P", b"open"))
    assert _start(data, 2)[0] == _records((b"P", b"b"), (b"P", b"b"), (b"F", b"b"), (b"P", b"open"))


@given(
    st.lists(
        st.tuples(st.sampled_from([b"P", b"F"]), st.binary(max_size=90).map(lambda b: b.replace(b"\n", b"."))),
        max_size=40,
    ),
    st.integers(1, 50),
    st.sampled_from([64, 100, 1000]),
)
def test_blocks_of_any_size(lines: list[tuple[bytes, bytes]], wanted: int, block: int) -> None:
    old, tail.BLOCK = tail.BLOCK, block
    try:
        found, missing = _start(_records(*lines), wanted)
    finally:
        tail.BLOCK = old
    groups: list[list[tuple[bytes, bytes]]] = [[]]
    for line in lines:
        groups[-1].append(line)
        if line[0] == b"F":
            groups.append([])
    groups = [group for group in groups if group]
    assert found == _records(*(line for group in groups[-wanted:] for line in group))
    assert missing == max(0, wanted - len(groups))


def test_a_big_file_is_not_read() -> None:
    size, read = 10 * 2**30, []
    line = T + b" stdout F " + b"x" * (128 - len(T) - 11) + b"\n"

    def read_at(offset: int, length: int) -> bytes:
        read.append(length)
        whole = line * (length // 128 + 2)
        return whole[offset % 128 : offset % 128 + length]

    assert tail.start(read_at, size, 10) == (size - 1280, 0, 0)
    assert sum(read) <= tail.BLOCK


@pytest.mark.parametrize("wanted", [1, 5])
def test_lines_longer_than_a_block(wanted: int) -> None:
    data = _records(*((b"F", b"x" * 200_000) for _ in range(5)))
    assert len(_start(data, wanted)[0]) == len(data) // 5 * wanted


def _timed(count: int, step: int = 1) -> bytes:
    lines = (
        f"2026-01-02T03:{n // 60:02d}:{n % 60:02d}.000000000+00:00 stdout F line{n}\n" for n in range(0, count, step)
    )
    return "".join(lines).encode()


@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from([64, 100, 1000, 65536]))
def test_since_never_skips_a_wanted_record_and_skips_most_others(count: int, wanted: int, block: int) -> None:
    data = _timed(count)
    stamp = f"2026-01-02T03:{wanted // 60:02d}:{wanted % 60:02d}.000000000".encode()
    old, tail.BLOCK = tail.BLOCK, block
    try:
        at = tail.since(lambda offset, length: data[offset : offset + length], len(data), stamp)
    finally:
        tail.BLOCK = old
    assert at == 0 or data[at - 1 : at] == b"\n"
    first = data.find(stamp)
    expected = len(data) if first < 0 else first
    assert at <= expected
    if block >= 1000:
        assert expected - at <= block * 2


@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.sampled_from("PF"), st.integers(0, 9)), max_size=40),
    st.integers(1, 12),
)
def test_lines_of_two_streams_are_counted_and_whole(records: list[tuple[str, str, int]], wanted: int) -> None:
    number = {"stdout": 1, "stderr": 2}
    data = b"".join(b"%s %s %s %d\n" % (T, stream.encode(), tag.encode(), text) for stream, tag, text in records)
    lines, open_lines = [], dict[str, str]()
    for stream, tag, text in records:
        line = open_lines.pop(stream, "") + str(text)
        if tag == "F":
            lines.append((number[stream], line.encode() + b"\n"))
        else:
            open_lines[stream] = line
    at, missing, skip = tail.start(lambda offset, length: data[offset : offset + length], len(data), wanted)
    renderer = ctrlog.Renderer(timestamps=True, skip=skip)
    sent = renderer.feed(data[at:]) + renderer.end()
    came = [(stream, text.partition(b" ")[2]) for stream, text in stdcopy.Reader().feed(sent)]
    unfinished = {(number[stream], line.encode()) for stream, line in open_lines.items()}
    closed = [line for line in came if line[1].endswith(b"\n")]
    assert closed == lines[len(lines) - len(closed) :]
    # Of a line that has no end yet and is one too many, what stands behind the place is shown.
    for stream, text in (line for line in came if not line[1].endswith(b"\n")):
        assert any(stream == other and whole.endswith(text) for other, whole in unfinished)
    assert wanted - len(open_lines) <= len(closed) + missing or missing == 0
    assert len(closed) <= wanted
    if not open_lines:
        assert len(closed) == min(wanted, len(lines))
