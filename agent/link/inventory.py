"""What this host has, and what changes on it: full lists at connect, then the engine's events as they come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from agent.link import reportshapes
from agent.link.docker import Engine, EngineDown, EngineError
from agent.link.lasttail import LastTails
from agent.protocol.reports import KINDS, EventReport

log = logging.getLogger("longshore.link.inventory")

_GATHER_SECONDS: Final = 0.03
_AT_ONCE: Final = 8
# what a look inside leaves behind; nothing of the container changed
_QUIET: Final = ("exec_", "top", "resize", "attach", "detach", "archive-path", "extract-to-dir", "export")


@dataclass
class Change:
    """What some events mean: the events, and the objects as they are after them."""

    events: list[EventReport] = field(default_factory=list)
    items: dict[str, list[Any]] = field(default_factory=dict)
    gone: dict[str, list[str]] = field(default_factory=dict)
    # kinds to be listed anew as a whole
    whole: set[str] = field(default_factory=set)


class Inventory:
    """Reads one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tails = LastTails(engine)

    async def whole(self, kind: str) -> list[Any]:
        """All objects of one kind.

        Raises:
            EngineDown, EngineError: the engine does not tell.
        """
        if kind == "container":
            rows = await self._engine.call("GET", "/containers/json", query={"all": 1}) or []
            found = await self._each([str(row["Id"]) for row in rows], self._container)
            return [one for one in found if one is not None]
        if kind == "image":
            return [reportshapes.image(row) for row in await self._engine.call("GET", "/images/json") or []]
        if kind == "volume":
            answer = await self._engine.call("GET", "/volumes") or {}
            return [reportshapes.volume(row) for row in answer.get("Volumes") or []]
        return [reportshapes.network(row) for row in await self._engine.call("GET", "/networks") or []]

    async def running(self) -> list[str]:
        """Engine ids of the containers that run."""
        return [str(row["Id"]) for row in await self._engine.call("GET", "/containers/json") or []]

    async def watch(self, since_nano: int, ready: Callable[[], None]) -> AsyncIterator[list[dict[str, Any]]]:
        """Follow the engine's events from a time on; events that come together make one batch.

        `ready` is called once the engine listens: a list made after it misses nothing.

        Raises:
            EngineDown: the stream broke.
        """
        query = {"since": f"{since_nano // 1_000_000_000}.{since_nano % 1_000_000_000:09d}"} if since_nano else {}
        exchange = await self._engine.open("GET", "/events", query=query)
        if exchange.status != 200:
            exchange.close()
            raise EngineDown(f"the engine refuses its events: {exchange.status}", sent=False)
        ready()
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(10_000)

        async def read() -> None:
            try:
                async for line in self._engine.lines(exchange):
                    self._tails.seen(line)
                    await queue.put(line)
            finally:
                await queue.put(None)

        reading = asyncio.create_task(read())
        try:
            while (first := await queue.get()) is not None:
                batch = [first]
                if queue.empty():
                    await asyncio.sleep(_GATHER_SECONDS)
                while len(batch) < 200 and not queue.empty():
                    line = queue.get_nowait()
                    if line is None:
                        yield batch
                        raise EngineDown("the engine's events ended", sent=False)
                    batch.append(line)
                yield batch
            raise EngineDown("the engine's events ended", sent=False)
        finally:
            reading.cancel()
            exchange.close()
            await asyncio.gather(reading, return_exceptions=True)

    async def change(self, lines: list[dict[str, Any]]) -> Change:
        """What a batch of events means, read from the engine now.

        Raises:
            EngineDown, EngineError: the engine does not tell.
        """
        change = Change()
        touched: dict[str, dict[str, None]] = {kind: {} for kind in KINDS}
        for line in lines:
            kind, action = str(line.get("Type") or ""), str(line.get("Action") or "")
            actor = line.get("Actor") or {}
            if not kind or action.startswith(_QUIET):
                continue
            engine_id, attributes = str(actor.get("ID") or ""), actor.get("Attributes") or {}
            event: EventReport = {
                "kind": kind,
                "action": action,
                "engine_id": engine_id,
                "attributes": {str(name): str(value) for name, value in attributes.items()},
                "at": datetime.fromtimestamp(int(line.get("timeNano") or 0) / 1e9, UTC).isoformat(),
                "at_nano": int(line.get("timeNano") or 0),
            }
            if kind == "container" and action == "die":
                event["exit"] = await self._tails.exit_of(engine_id, attributes)
            change.events.append(event)
            if kind in touched:
                touched[kind][engine_id] = None
            if kind == "network" and attributes.get("container"):
                touched["container"][str(attributes["container"])] = None
        if touched["image"]:
            # an image's events name a reference or an id, as they please
            change.whole.add("image")
        for kind, read in (("container", self._container), ("volume", self._volume), ("network", self._network)):
            ids = list(touched[kind])
            found = await self._each(ids, read)
            change.items[kind] = [one for one in found if one is not None]
            change.gone[kind] = [name for name, one in zip(ids, found, strict=True) if one is None]
        return change

    async def _each(self, ids: list[str], read: Callable[[str], Any]) -> list[Any]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> Any:
            async with gate:
                return await read(name)

        return list(await asyncio.gather(*(one(name) for name in ids)))

    async def _container(self, name: str) -> Any:
        return await self._read(f"/containers/{name}/json", reportshapes.container)

    async def _volume(self, name: str) -> Any:
        return await self._read(f"/volumes/{name}", reportshapes.volume)

    async def _network(self, name: str) -> Any:
        return await self._read(f"/networks/{name}", reportshapes.network)

    async def _read(self, path: str, shape: Callable[[dict[str, Any]], Any]) -> Any:
        try:
            return shape(await self._engine.call("GET", path))
        except EngineError as error:
            if error.status == 404:
                return None
            raise
