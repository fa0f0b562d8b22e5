"""Filters that every prune understands: ``label``, ``label!`` and ``until``."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from agent.engine.api.params import Filters
from agent.engine.errors import Invalid

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def duration_ns(text: str) -> int | None:
    """A duration as Go writes it (``1h30m``); None: it is none."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return int(sum(float(number) * _UNITS[unit] for number, unit in parts))


def moment_ns(text: str, now_ns: int) -> int:
    """A moment as clients write it: seconds since the epoch, RFC 3339, or how long ago.

    Raises:
        Invalid: none of these.
    """
    ago = duration_ns(text)
    if ago is not None:
        return now_ns - ago
    try:
        return int(float(text) * 10**9)
    except ValueError:
        pass
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f'failed to parse value as time or duration: "{text}"') from None
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 10**9)


def matcher(given: Filters) -> Callable[[Mapping[str, str], int], bool]:
    """Whether an object with these labels, made at that moment, is meant.

    Raises:
        Invalid: ``until`` more than once, or no moment.
    """
    until = given.get("until") or []
    if len(until) > 1:
        raise Invalid("more than one until filter specified")
    before = moment_ns(until[0], time.time_ns()) if until else None

    def matches(labels: Mapping[str, str], created_ns: int) -> bool:
        known = {f"{key}={value}" for key, value in labels.items()} | set(labels)
        if before is not None and created_ns > before:
            return False
        # All that label! names must be there for the object to be spared, as all of label for it to be meant.
        spared = given.get("label!") or []
        return known.issuperset(given.get("label") or []) and not (spared and known.issuperset(spared))

    return matches
