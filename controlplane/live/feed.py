"""One subscription a process to hints and samples, handed on to the sockets that look on."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import redis
import structlog

from controlplane.common import hints
from controlplane.common.bus import async_client
from controlplane.common.hints import Position

log = structlog.get_logger(__name__)

_PAUSE: Final = 1.0

Sink = Callable[[str, dict[str, Any]], None]
"""Called with `hint`, `stats` or `resync` and what came."""


class Feed:
    """What happens, as it happens."""

    def __init__(self) -> None:
        self._sinks: set[Sink] = set()
        self._seq = 0
        self._epoch = ""

    def add(self, sink: Sink) -> None:
        """Hand on from now on."""
        self._sinks.add(sink)

    def remove(self, sink: Sink) -> None:
        """Hand on no more."""
        self._sinks.discard(sink)

    async def position(self) -> Position:
        """Where the ring stands now."""
        connection = async_client()
        try:
            return await self._position(connection)
        except (redis.RedisError, OSError):
            return Position(self._seq, "")
        finally:
            await connection.aclose()

    async def since(self, seq: int) -> list[dict[str, Any]] | None:
        """The hints after a number; None when the ring does not reach back that far, or never had that number."""
        connection: Any = async_client()
        try:
            here = await self._position(connection)
            if seq > here.seq or here.seq - seq > hints.LENGTH or not here.epoch:
                return None
            raw = await connection.lrange(hints.RING, -(here.seq - seq), -1) if here.seq > seq else []
        except (redis.RedisError, OSError):
            return None
        finally:
            await connection.aclose()
        found = [json.loads(one) for one in raw]
        if found and found[0]["seq"] > seq + 1:
            return None
        return [one for one in found if one["seq"] > seq]

    async def run(self) -> None:
        """Listen until cancelled; a Redis that comes back is caught up with, or everybody refetches."""
        while True:
            connection: Any = async_client()
            try:
                async with connection.pubsub() as pubsub:
                    await pubsub.subscribe(hints.CHANNEL, hints.STATS)
                    await self._catch_up(connection)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            self._heard(message["channel"], json.loads(message["data"]))
            except (redis.RedisError, OSError) as error:
                log.warning("the feed is away", error=str(error))
            finally:
                await connection.aclose()
            await asyncio.sleep(_PAUSE)

    async def _position(self, connection: Any) -> Position:
        seq, epoch = await connection.mget(hints.SEQ, hints.EPOCH)
        return Position(int(seq or 0), (epoch or b"").decode())

    async def _catch_up(self, connection: Any) -> None:
        here = await self._position(connection)
        missed = await self.since(self._seq) if self._epoch and here.epoch == self._epoch else None
        if missed is None:
            # what was told before we listened, to sockets that are open already, is not known
            self._tell("resync", {})
        for hint in missed or []:
            self._tell("hint", hint)
        self._seq, self._epoch = here.seq, here.epoch

    def _heard(self, channel: bytes, content: dict[str, Any]) -> None:
        if channel == hints.STATS.encode():
            self._tell("stats", content)
            return
        if self._seq and content["seq"] > self._seq + 1 and self._epoch:
            self._tell("resync", {})
        if content["seq"] <= self._seq and self._epoch:
            # caught up with already, or the ring was made anew under us
            if content["seq"] == 1:
                self._tell("resync", {})
            else:
                return
        self._seq = content["seq"]
        self._tell("hint", content)

    def _tell(self, kind: str, content: dict[str, Any]) -> None:
        for sink in list(self._sinks):
            try:
                sink(kind, content)
            except Exception:
                # one viewer's trouble must not silence the others
                log.exception("a viewer of the feed broke")


FEED = Feed()
"""This process's."""
