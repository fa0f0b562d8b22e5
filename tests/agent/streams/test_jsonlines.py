"""JSON values however they are cut or joined."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.streams import jsonlines

values = st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20)), max_size=10)


@given(values, st.integers(1, 40), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_values_survive_any_cutting(given_values: list[object], step: int, between: str) -> None:
    data = between.join(json.dumps(value) for value in given_values).encode()
    reader, found = jsonlines.Reader(), []
    for at in range(0, len(data), step):
        found += list(reader.feed(data[at : at + step]))
    assert found + list(reader.end()) == given_values


def test_values_without_a_newline_between() -> None:
    assert list(jsonlines.Reader().feed(b'{"a":1}{"b":2}\n')) == [{"a": 1}, {"b": 2}]


def test_what_is_no_json() -> None:
    with pytest.raises(jsonlines.BadLine):
        list(jsonlines.Reader().feed(b"<html>\n"))


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "LONGEST", 10)
    with pytest.raises(jsonlines.BadLine, match="no end of line"):
        list(jsonlines.Reader().feed(b'{"a": "xxxxxxxxxx'))
