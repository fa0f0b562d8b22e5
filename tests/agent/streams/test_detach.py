"""Detach keys, in one piece or several."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.streams import detach


@pytest.mark.parametrize(
    ("text", "keys"), [("ctrl-p,ctrl-q", b"\x10\x11"), ("a", b"a"), ("ctrl-@,CTRL-[,z", b"\0\x1bz")]
)
def test_names_of_keys(text: str, keys: bytes) -> None:
    assert detach.parse(text) == keys


@pytest.mark.parametrize("text", ["", "nosuch", "ctrl-", "ctrl-p,", "ctrl-pp"])
def test_no_keys(text: str) -> None:
    with pytest.raises(detach.BadKeys):
        detach.parse(text)


def test_the_keys_end_it_and_are_not_passed_on() -> None:
    matcher = detach.Matcher()
    assert matcher.feed(b"hi\x10") == b"hi"
    assert matcher.feed(b"\x11more") == b""
    assert matcher.detached
    assert matcher.feed(b"more") == b""


def test_a_begun_match_that_is_none_is_passed_on() -> None:
    matcher = detach.Matcher()
    assert matcher.feed(b"\x10") == b""
    assert matcher.feed(b"\x10") == b"\x10"
    assert matcher.feed(b"x") == b"\x10x"
    assert not matcher.detached


@given(st.lists(st.sampled_from([b"a", b"\x10", b"\x11", b"\x10\x10"]), max_size=12))
def test_however_it_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    matcher = detach.Matcher()
    seen = b"".join(matcher.feed(piece) for piece in pieces)
    at = whole.find(b"\x10\x11")
    assert matcher.detached == (at >= 0)
    assert seen == whole[:at] if at >= 0 else whole.startswith(seen) and len(whole) - len(seen) <= 1
