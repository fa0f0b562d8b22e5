"""What happened, for ``docker events`` and for whoever waits for a change.

Shapes and names are dockerd's: ``{"Type": "container", "Action": "die", "Actor": {"ID": …, "Attributes": {…}}, …}``
with the old ``status``, ``id`` and ``from`` beside them. The bus keeps the last events in memory; a subscriber has a
bounded queue of its own, so that one that does not read neither holds up the publisher nor eats memory: it is cut off.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

HISTORY = 1024
BACKLOG = 4096

type_of_status = frozenset({"container", "image"})  # only these carry status, id and from


class Lagging(Exception):
    """The subscriber did not read for too long and has been cut off."""


class Subscription:
    """One reader of the bus. Iterate it; leave the ``with`` block to end it."""

    def __init__(self, bus: "EventBus") -> None:
        self._bus = bus
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(BACKLOG)
        self._lagging = False

    def __enter__(self) -> "Subscription":
        self._bus.subscribers.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.subscribers.discard(self)

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> dict[str, Any]:
        event = await self.get()
        if event is None:
            raise StopAsyncIteration
        return event

    async def get(self) -> dict[str, Any] | None:
        """The next event, or None once the bus is closed.

        Raises:
            Lagging: more events came than the queue holds.
        """
        if self._lagging and self._queue.empty():
            raise Lagging("events were lost: the reader was too slow")
        return await self._queue.get()

    def offer(self, event: dict[str, Any] | None) -> None:
        """Queue an event; a full queue ends the subscription."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._lagging = True
            self._bus.subscribers.discard(self)


class EventBus:
    """Publish to all, remember the last ones."""

    def __init__(self, history: int = HISTORY) -> None:
        self.subscribers: set[Subscription] = set()
        self._history: deque[dict[str, Any]] = deque(maxlen=history)

    def publish(
        self,
        kind: str,
        action: str,
        actor_id: str,
        attributes: Mapping[str, str] | None = None,
        time_ns: int | None = None,
        scope: str = "local",
    ) -> dict[str, Any]:
        """Tell everybody. Never waits.

        Args:
            kind: ``container``, ``image``, ``network``, ``volume``, ``daemon`` or ``builder``.
            action: dockerd's word, e.g. ``die`` or ``health_status: healthy``.
            actor_id: the object's id; an image's or a volume's name where dockerd says that.
            attributes: all strings; a container's are its labels, ``image`` and ``name``, plus the action's own.
            time_ns: when it happened, if not now (an exit found at recovery).
            scope: ``local``; swarm would say otherwise.
        """
        stamp = time.time_ns() if time_ns is None else time_ns
        given = dict(attributes or {})
        event: dict[str, Any] = {}
        if kind in type_of_status:
            event["status"] = action
            event["id"] = actor_id
            if kind == "container" and given.get("image"):
                event["from"] = given["image"]
        event |= {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": actor_id, "Attributes": given},
            "scope": scope,
            "time": stamp // 1_000_000_000,
            "timeNano": stamp,
        }
        self._history.append(event)
        for subscriber in tuple(self.subscribers):
            subscriber.offer(event)
        return event

    def subscribe(self) -> Subscription:
        """A reader of what comes from now on; enter it before you look at the state that it shall keep current."""
        return Subscription(self)

    def history(self, since_ns: int | None = None, until_ns: int | None = None) -> Iterator[dict[str, Any]]:
        """Remembered events of the span, oldest first."""
        for event in tuple(self._history):
            stamp = event["timeNano"]
            if (since_ns is None or stamp >= since_ns) and (until_ns is None or stamp <= until_ns):
                yield event

    def close(self) -> None:
        """End every subscription."""
        for subscriber in tuple(self.subscribers):
            subscriber.offer(None)
