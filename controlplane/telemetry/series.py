"""Samples as a series: at most 1,000 points, one each step, gaps as gaps. Pure but for the rows it is given."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

MOST_POINTS: Final = 1000
RAW: Final = 10
STEPS: Final = (10, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400)
GAUGES: Final = ("cpu_percent", "memory_bytes", "memory_cache", "memory_limit", "pids")
# Counters become rates in bytes a second.
COUNTERS: Final = ("net_rx", "net_tx", "block_read", "block_write")


@dataclass(frozen=True)
class Window:
    """What is shown: from, to, and seconds between points."""

    start: datetime
    end: datetime
    step: int


def window(*, now: datetime, start: datetime | None, end: datetime | None, step: int | None) -> Window:
    """The last hour unless told otherwise; the smallest step that keeps the points below the limit.

    Raises:
        ValueError: it ends before it begins.
    """
    end = end or now
    start = start or end - timedelta(hours=1)
    seconds = (end - start).total_seconds()
    if seconds <= 0:
        raise ValueError("`to` must be after `from`")
    least = math.ceil(seconds / MOST_POINTS)
    fitting = next((one for one in STEPS if one >= max(least, step or RAW)), STEPS[-1])
    return Window(start, end, fitting)


def points(rows: Sequence[Any], shown: Window) -> list[dict[str, Any]]:
    """A point for every step; without a sample its values are null.

    Args:
        rows: samples in the order of time.
    """
    buckets: dict[int, list[Any]] = {}
    for row in rows:
        buckets.setdefault(int((row.at - shown.start).total_seconds() // shown.step), []).append(row)
    count = math.ceil((shown.end - shown.start).total_seconds() / shown.step)
    found = []
    before = None
    for n in range(min(count, MOST_POINTS)):
        bucket = buckets.get(n, [])
        point: dict[str, Any] = {"at": (shown.start + timedelta(seconds=n * shown.step)).isoformat()}
        for name in GAUGES:
            point[name] = _mean(getattr(row, name) for row in bucket)
        point["cpu_percent_max"] = max((row.cpu_percent for row in bucket if row.cpu_percent is not None), default=None)
        last = bucket[-1] if bucket else None
        for name in COUNTERS:
            point[name] = _rate(before, last, name, shown.step)
        before = last
        found.append(point)
    return found


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    mean: float = sum(known) / len(known)
    return mean if isinstance(known[0], float) else round(mean)


def _rate(before: Any, last: Any, name: str, step: int) -> float | None:
    """Between two samples next to each other; a counter that fell was reset, so there is no rate."""
    if before is None or last is None:
        return None
    first, second = getattr(before, name), getattr(last, name)
    seconds = (last.at - before.at).total_seconds()
    if first is None or second is None or second < first or not 0 < seconds <= 3 * step:
        return None
    return float(round((second - first) / seconds, 1))
