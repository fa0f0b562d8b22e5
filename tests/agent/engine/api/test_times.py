"""Times of a query, to the nanosecond."""

import pytest

from agent.engine.api.times import nanoseconds
from agent.engine.errors import Invalid


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("0", 0),
        ("1700000000", 1_700_000_000 * 10**9),
        ("1700000000.000000007", 1_700_000_000 * 10**9 + 7),
        ("1700000000.5", 1_700_000_000 * 10**9 + 500_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000 * 10**9),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000 * 10**9 + 123_456_789),
        ("2023-11-15T00:13:20.5+02:00", 1_700_000_000 * 10**9 + 500_000_000),
    ],
)
def test_times(text: str, value: int) -> None:
    assert nanoseconds(text, "since") == value


@pytest.mark.parametrize("text", ["yesterday", "1x", "2023-13-01T00:00:00Z"])
def test_no_times(text: str) -> None:
    with pytest.raises(Invalid, match="since"):
        nanoseconds(text, "since")
