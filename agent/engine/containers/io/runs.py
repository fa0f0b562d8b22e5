"""When a container's run begins and ends, for whoever shows its output.

``docker run`` attaches before it starts, so a viewer may have to wait for the next run. The end is taken from the exit
watcher rather than from the record: that is some milliseconds earlier, and by then conmon has written the whole log.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from agent.engine.events import EventBus
from agent.engine.state.records import ContainerRecord, Status

_LIVE = frozenset({Status.RUNNING, Status.PAUSED})


class Find(Protocol):
    """A container's newest record, or None once it is gone."""

    def __call__(self, id_: str, /) -> ContainerRecord | None: ...


class Runs:
    """Waits for starts and ends.

    Args:
        events: where ``start`` and ``destroy`` are told.
        find: looks a record up.
        wait: returns at the end of the current run, with None where none is watched (``Exits.wait``).
    """

    def __init__(self, events: EventBus, find: Find, wait: Callable[[str], Awaitable[Any]]) -> None:
        self._events, self._find, self._wait = events, find, wait

    async def started(self, container_id: str) -> bool:
        """Wait until the container runs; False if it is removed instead."""
        with self._events.subscribe() as events:
            record = self._find(container_id)
            while record is not None and record.state.status not in _LIVE:
                event = await events.get()
                if event is None:
                    return False
                if event["Type"] == "container" and event["Actor"]["ID"] == container_id:
                    if event["Action"] == "start":
                        return True
                    record = self._find(container_id) if event["Action"] != "destroy" else None
            return record is not None

    async def ended(self, container_id: str, *, next_run: bool = False) -> None:
        """Wait until the run is over and its output is written.

        Args:
            container_id: whose.
            next_run: where nothing runs now, wait for the next run to begin and end.
        """
        record = self._find(container_id)
        running = record is not None and record.state.status in _LIVE
        if not running and (not next_run or not await self.started(container_id)):
            return
        await self._wait(container_id)

    def when_ended(self, container_id: str, *, next_run: bool = False) -> "asyncio.Task[None]":
        """``ended`` as a task; cancel it when it is of no interest any more."""
        return asyncio.create_task(self.ended(container_id, next_run=next_run), name=f"end of {container_id[:12]}")
