"""Durations as Go writes them: ``1m30s``, ``500ms``, ``1.5h``."""

import re
from decimal import Decimal

from agent.engine.errors import Invalid

UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def nanoseconds(text: str, name: str) -> int:
    """A duration in nanoseconds; empty and zero are 0.

    Raises:
        Invalid: no duration, or one below a millisecond.
    """
    if text in ("", "0"):
        return 0
    if not re.fullmatch(rf"\+?(?:{PART.pattern})+", text):
        raise Invalid(f'invalid duration "{text}" for --{name}')
    total = int(sum(Decimal(number) * UNITS[unit] for number, unit in PART.findall(text)))
    if 0 < total < UNITS["ms"]:
        raise Invalid(f'Interval "{name}" cannot be less than 1ms')
    return total
