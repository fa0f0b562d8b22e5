"""conmon's records become the program's bytes again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.streams import ctrlog, stdcopy

SECOND = 1_000_000_000
BEGIN = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * SECOND
T = "2026-01-02T03:04:0{}.000000000+00:00"


def _log(*records: tuple[int, str, str, bytes]) -> bytes:
    return b"".join(f"{T.format(t)} {stream} {tag} ".encode() + text + b"\n" for t, stream, tag, text in records)


LOG = _log(
    (5, "stdout", "F", b"one"),
    (6, "stderr", "F", b"bad"),
    (7, "stdout", "P", b"tw"),
    (8, "stdout", "F", b"o"),
    (9, "stdout", "P", b"end"),
)


def _frames(data: bytes) -> list[tuple[int, bytes]]:
    return list(stdcopy.Reader().feed(data))


def test_lines_are_joined_and_framed() -> None:
    data = ctrlog.Renderer().feed(LOG)
    assert _frames(data) == [(1, b"one\n"), (2, b"bad\n"), (1, b"tw"), (1, b"o\n"), (1, b"end")]


def test_a_terminal_is_not_framed() -> None:
    assert ctrlog.Renderer(framed=False).feed(LOG) == b"one\nbad\ntwo\nend"


@pytest.mark.parametrize(("out", "err", "text"), [(True, False, b"one\ntwo\nend"), (False, True, b"bad\n")])
def test_streams_apart(out: bool, err: bool, text: bytes) -> None:
    assert ctrlog.Renderer(framed=False, stdout=out, stderr=err).feed(LOG) == text


def test_a_line_has_one_time_however_many_records() -> None:
    renderer = ctrlog.Renderer(framed=False, stderr=False, timestamps=True)
    text = renderer.feed(LOG) + renderer.end()
    assert text.split(b"\n") == [
        b"2026-01-02T03:04:05.000000000Z one",
        b"2026-01-02T03:04:08.000000000Z two",
        b"2026-01-02T03:04:09.000000000Z end",
    ]


def test_details_stand_before_the_text_and_after_the_time() -> None:
    text = ctrlog.Renderer(framed=False, stdout=False, timestamps=True, details=b"a=b ").feed(LOG)
    assert text == b"2026-01-02T03:04:06.000000000Z a=b bad\n"


def test_a_window_is_closed_at_both_ends() -> None:
    renderer = ctrlog.Renderer(framed=False, since=BEGIN + SECOND, until=BEGIN + 3 * SECOND)
    assert renderer.feed(LOG) == b"bad\ntwo\n"
    assert renderer.over


def test_records_in_another_zone() -> None:
    line = b"2026-01-02T05:04:05.000000007+02:00 stdout F x\n"
    assert ctrlog.Renderer(framed=False, timestamps=True).feed(line) == b"2026-01-02T03:04:05.000000007Z x\n"


def test_a_torn_record_is_left_out() -> None:
    assert ctrlog.Renderer(framed=False).feed(b"2026-01-0\n\0\0\0\n" + LOG) == b"one\nbad\ntwo\nend"


def test_stamp() -> None:
    assert ctrlog.stamp(BEGIN + 5) == b"2026-01-02T03:04:05.000000005"
    assert ctrlog.stamp(10**30).startswith(b"9999-12-31")


records = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from(["stdout", "stderr"]),
        st.sampled_from("PF"),
        st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"\r")),
    ),
    max_size=30,
)


@given(records, st.integers(1, 200), st.booleans())
def test_any_bytes_in_blocks_of_any_size(
    given_records: list[tuple[int, str, str, bytes]], step: int, slow: bool
) -> None:
    log = _log(*given_records)
    renderer = ctrlog.Renderer(framed=True, since=1 if slow else 0)
    data = b"".join(renderer.feed(log[at : at + step]) for at in range(0, len(log), step)) + renderer.end()
    for number, name in ((1, "stdout"), (2, "stderr")):
        expected = b"".join(text + b"\n" * (tag == "F") for _, s, tag, text in given_records if s == name)
        assert b"".join(text for stream, text in _frames(data) if stream == number) == expected


def test_a_long_line_comes_in_pieces_with_the_first_ones_time() -> None:
    parts = [(5, "stdout", "P", b"x" * 8192), (6, "stdout", "P", b"x" * 8192), (7, "stdout", "F", b"end")]
    renderer = ctrlog.Renderer(timestamps=True)
    time = b"2026-01-02T03:04:06.000000000Z "
    assert _frames(renderer.feed(_log(*parts))) == [(1, time + b"x" * 16384), (1, time + b"end\n")]
    assert _frames(ctrlog.Renderer().feed(_log(*parts)))[0] == (1, b"x" * 8192)


def test_what_is_no_log_is_not_kept() -> None:
    renderer = ctrlog.Renderer(framed=False)
    for _ in range(100):
        assert renderer.feed(b"\0" * 65536) == b""
    assert len(renderer._rest) <= ctrlog.LONGEST + 65536
    assert renderer.feed(b"\n" + LOG) == b"one\nbad\ntwo\nend"
