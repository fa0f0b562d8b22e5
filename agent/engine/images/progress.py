"""dockerd's progress objects, as ``docker pull`` and ``push`` draw them.

Source: moby ``pkg/streamformatter`` and ``pkg/jsonmessage``.
"""

import time
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Progress = Callable[[Json], None]
_INTERVAL = 0.1
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_BAR = 50


def short(digest: str) -> str:
    """A layer's name in progress lines."""
    return digest.removeprefix("sha256:")[:12]


def step(id_: str, status: str) -> Json:
    """A line without a bar."""
    return {"status": status, "progressDetail": {}, "id": id_}


def human(size: float) -> str:
    """``1.234MB``: four digits, decimal units."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.4g}{_UNITS[unit]}"


class Meter:
    """A bar for one layer, drawn ten times a second at most."""

    def __init__(self, progress: Progress, id_: str, status: str, total: int) -> None:
        self._progress, self._id, self._status, self._total = progress, id_, status, total
        self._drawn = 0.0

    def show(self, current: int, *, last: bool = False) -> None:
        """Draw, unless it was drawn a moment ago."""
        now = time.monotonic()
        if not last and now - self._drawn < _INTERVAL:
            return
        self._drawn = now
        detail = {"current": current, "total": self._total}
        drawn = {"status": self._status, "progressDetail": detail, "progress": self._bar(current)}
        self._progress(drawn | ({"id": self._id} if self._id else {}))

    def _bar(self, current: int) -> str:
        if self._total <= 0:
            return f"{human(current):>8}"
        filled = min(_BAR, current * _BAR // self._total)
        head = ">" if filled < _BAR else ""
        bar = "=" * filled + head + " " * (_BAR - filled - len(head))
        return f"[{bar}]  {human(current):>7}/{human(self._total)}"
