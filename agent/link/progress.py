"""An order's lines: numbered, gathered for a quarter of a second, of each layer the last word only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

_GATHER_SECONDS: Final = 0.25
_AT_ONCE: Final = 200
_LONGEST: Final = 4000

Sink = Callable[[list[dict[str, Any]], dict[str, Any]], None]


class Lines:
    """Collects what an engine says about one order. `first`: the lines of an earlier attempt come before it."""

    def __init__(self, sink: Sink, first: int = 0) -> None:
        self._sink = sink
        self._n = first
        self._lines: list[dict[str, Any]] = []
        self._bars: dict[str, int] = {}
        self._layers: dict[str, tuple[int, int]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, *, step: str = "", text: str = "", data: Mapping[str, Any] | None = None) -> None:
        """Add a line; a layer's progress replaces its own line that has not left yet."""
        detail = (data or {}).get("progressDetail")
        bar = step if isinstance(detail, dict) and step else ""
        if bar and detail and detail.get("total"):
            self._layers[bar] = (int(detail.get("current") or 0), int(detail["total"]))
        line: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "step": step[:128], "text": text[:_LONGEST]}
        if data is not None:
            line["data"] = dict(data)
        if bar and bar in self._bars and self._lines[self._bars[bar]]["text"] == line["text"]:
            line["n"] = self._lines[self._bars[bar]]["n"]
            self._lines[self._bars[bar]] = line
        else:
            self._n += 1
            line["n"] = self._n
            if bar:
                self._bars[bar] = len(self._lines)
            self._lines.append(line)
        if len(self._lines) >= _AT_ONCE:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self.flush)

    def flush(self) -> None:
        """Send what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        lines, self._lines, self._bars = self._lines, [], {}
        current = sum(done for done, _ in self._layers.values())
        total = sum(size for _, size in self._layers.values())
        progress: dict[str, Any] = {"text": lines[-1]["text"][:200]}
        if total:
            progress |= {"current": current, "total": total, "unit": "bytes"}
        self._sink(lines, progress)

    def close(self) -> None:
        """The order ended: what was gathered leaves before its result."""
        self.flush()
