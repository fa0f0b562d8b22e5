"""Control messages from a hostile agent: what no database could keep, or no answer give again."""

import pytest

from agent.protocol import reports
from agent.protocol.frames import BadFrame, Frame, Kind


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_e6_numbers_that_are_none(number: str) -> None:
    text = f'{{"type": "stats", "n": 1, "items": [{{"cpu_percent": {number}}}]}}'
    with pytest.raises(reports.BadReport):
        reports.read_up(text)


def test_e6_half_characters() -> None:
    found = reports.read_up('{"type": "stats", "n": 1, "items": [{"a\\ud800": ["\\udfff", "\\ud83d\\ude00", "\\\\"]}]}')
    assert found["items"] == [{"a\ufffd": ["\ufffd", "\U0001f600", "\\"]}]


def test_e6_nested_without_end() -> None:
    with pytest.raises(BadFrame):
        Frame(Kind.OPEN, 1, b"[" * 200_000).json()
    with pytest.raises(reports.BadReport):
        reports.read_up("[" * 200_000)
