"""What goes up on one connection: numbered, in order, with a window of unanswered messages.

A reporter lives as long as its connection. Nothing in it is truth: what matters is in the order book or in the engine,
and is told again on the next connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from agent.protocol import reports

log = logging.getLogger("longshore.link.reporter")

_QUEUE: Final = 4000
_STATS_QUEUE: Final = 50
_PART_BYTES: Final = 400 * 1024
_PART_ITEMS: Final = 200

Answered = Callable[[], Awaitable[None]]


class Overrun(Exception):
    """The control plane takes reports more slowly than this host makes them; start again with full lists."""


class Reporter:
    """The upward half of one connection."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._queue: deque[tuple[str, dict[str, Any], Answered | None]] = deque()
        self._open: dict[int, tuple[str, Answered | None]] = {}
        self._n = 0
        self._wake = asyncio.Event()
        self._overrun = False

    def put(self, kind: str, answered: Answered | None = None, /, **fields: Any) -> None:
        """Queue a message; `answered` runs once it is committed on the other side."""
        if kind == "stats":
            waiting = [one for one in self._queue if one[0] == "stats"]
            if len(waiting) >= _STATS_QUEUE:
                self._queue.remove(waiting[0])
        if len(self._queue) >= _QUEUE:
            self._overrun = True
        else:
            self._queue.append((kind, fields, answered))
        self._wake.set()

    def put_list(self, kind: str, items: list[Any], run: str) -> None:
        """Queue a full list of one kind, in parts that fit a message."""
        parts = split(items)
        for index, part in enumerate(parts):
            self.put("inventory", kind=kind, run=run, last=index == len(parts) - 1, items=part)

    def put_changed(self, kind: str, items: list[Any], gone: list[str]) -> None:
        """Queue some objects of one kind as they are now."""
        for index, part in enumerate(split(items)):
            if part or (index == 0 and gone):
                self.put("changed", kind=kind, items=part, gone=gone if index == 0 else [])

    async def run(self) -> None:
        """Send until the connection ends.

        Raises:
            Overrun: too much is waiting.
        """
        while True:
            while self._queue and len(self._open) < reports.WINDOW:
                kind, fields, answered = self._queue.popleft()
                self._n += 1
                self._open[self._n] = (kind, answered)
                await self._send(reports.write(kind, n=self._n, **fields))
            if self._overrun:
                raise Overrun(f"{len(self._queue)} reports are waiting")
            self._wake.clear()
            await self._wake.wait()

    async def acked(self, n: int) -> None:
        """The other side committed message `n`."""
        _, answered = self._open.pop(n, ("", None))
        self._wake.set()
        if answered is not None:
            await answered()

    def refused(self, n: int, code: str, detail: str) -> None:
        """The other side will never take message `n`."""
        kind, _ = self._open.pop(n, ("", None))
        log.error("the control plane refused a %s report: %s (%s)", kind, detail, code)
        self._wake.set()


def split(items: list[Any]) -> list[list[Any]]:
    """Cut a list so that each part fits a message; an item that fits none loses its `inspect`."""
    parts: list[list[Any]] = [[]]
    size = 0
    for whole in items:
        item, length = whole, _length(whole)
        if length > _PART_BYTES and isinstance(whole, dict) and "inspect" in whole:
            item = {**whole, "inspect": {}}
            length = _length(item)
        if parts[-1] and (size + length > _PART_BYTES or len(parts[-1]) >= _PART_ITEMS):
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += length
    return parts


def _length(item: Any) -> int:
    return len(json.dumps(item, separators=(",", ":")))
