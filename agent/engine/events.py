"""What happened, for ``docker events`` and for whoever waits for a change.

Shapes and names are dockerd's: ``{"Type": "container", "Action": "die", "Actor": {"ID": …, "Attributes": {…}}, …}``
with the old ``status``, ``id`` and ``from`` beside them. The bus keeps the last events in memory; a subscriber has a
bounded queue of its own, so that one that does not read neither holds up the publisher nor eats memory: it is cut off.
A file in the run directory, which is memory too, keeps the last events across a restart of the engine.
"""

import asyncio
import json
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
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


class EventFile:
    """The last events, one in JSON a line; written whole anew after every so many. A disk that is full loses them."""

    def __init__(self, path: Path, most: int = HISTORY) -> None:
        self._path, self._most = path, most
        self._descriptor, self._lines = -1, 0

    def read(self) -> list[dict[str, Any]]:
        """What an earlier engine has left; a line that was cut short is none."""
        found = []
        with suppress(OSError):
            for line in self._path.read_bytes().split(b"\n")[-self._most - 1 :]:
                with suppress(ValueError):
                    found.append(json.loads(line))
        self._begin(found)
        return found

    def append(self, event: dict[str, Any], last: "deque[dict[str, Any]]") -> None:
        """Write one more; ``last`` is all that is remembered, the new one with it."""
        with suppress(OSError):
            if self._lines >= 2 * self._most or self._descriptor < 0:
                self._begin(last)
                return
            os.write(self._descriptor, _line(event))
            self._lines += 1

    def _begin(self, events: "deque[dict[str, Any]] | list[dict[str, Any]]") -> None:
        self.close()
        with suppress(OSError):
            temporary = self._path.with_name(f".{self._path.name}")
            temporary.write_bytes(b"".join(map(_line, events)))
            temporary.chmod(0o600)
            temporary.replace(self._path)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._lines = len(events)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


class EventBus:
    """Publish to all, remember the last ones.

    Args:
        history: how many are remembered.
        kept: where they outlive this process; None: nowhere.
    """

    def __init__(self, history: int = HISTORY, kept: EventFile | None = None) -> None:
        self.subscribers: set[Subscription] = set()
        self._kept = kept
        self._history: deque[dict[str, Any]] = deque(kept.read() if kept else (), maxlen=history)

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
        if self._kept is not None:
            self._kept.append(event, self._history)
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
        if self._kept is not None:
            self._kept.close()
