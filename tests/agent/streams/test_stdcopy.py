"""Frames survive any cutting, and what is no frame is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.streams import stdcopy

frames = st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), st.binary(max_size=300)), max_size=20)


@given(frames, st.lists(st.integers(0, 4000), max_size=20))
def test_frames_survive_any_cutting(given_frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(stdcopy.frame(stream, text) for stream, text in given_frames)
    reader, found, last = stdcopy.Reader(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        found += list(reader.feed(data[last:cut]))
        last = max(last, cut)
    assert found == given_frames
    assert reader.pending == 0


def test_a_cut_frame_is_seen_at_the_end() -> None:
    reader = stdcopy.Reader()
    assert list(reader.feed(stdcopy.frame(1, b"hello")[:-1])) == []
    assert reader.pending == 12


@pytest.mark.parametrize("data", [b"plain text", b"\x01\0\0\0\xff\xff\xff\xff"])
def test_what_is_no_frame(data: bytes) -> None:
    with pytest.raises(stdcopy.BadFrame):
        list(stdcopy.Reader().feed(data))
