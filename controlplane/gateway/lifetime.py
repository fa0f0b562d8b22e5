"""What a web process does besides answering: listens on the bus, and closes or tells the agents that it holds."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

import redis
import structlog

from agent.protocol import reports
from controlplane.common import bus
from controlplane.gateway import bell
from controlplane.gateway.hub import HUB, REVOKED

log = structlog.get_logger(__name__)

_PAUSE: Final = 1.0

Heard = Callable[[dict[str, Any]], Awaitable[None]]


class Lifetime:
    """The ASGI lifespan.

    Args:
        run: coroutines that live as long as the process. heard: told every message of the bus too. last: called when
            the process is to end.
    """

    def __init__(
        self,
        *,
        run: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        heard: Sequence[Heard] = (),
        last: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._run = run
        self._heard = heard
        self._last = last

    async def __call__(
        self, receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        await receive()
        HUB.loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(self._listen()), *(asyncio.create_task(run()) for run in self._run)]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for connection in HUB.all():
            connection.close(1012, "the control plane is restarting")
        for last in self._last:
            last()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def _listen(self) -> None:
        while True:
            try:
                async for message in bus.listen():
                    await heard(message)
                    for one in self._heard:
                        await one(message)
            except (redis.RedisError, OSError) as error:
                log.warning("the bus is away", error=str(error))
            await asyncio.sleep(_PAUSE)


async def heard(message: dict[str, Any]) -> None:
    """Do what a message of the bus asks of the connections that this process holds."""
    with contextlib.suppress(KeyError, ValueError):
        host_id = uuid.UUID(str(message.get("host_id")))
        connection = HUB.get(host_id)
        match message.get("topic"):
            case bus.HOST_REVOKED:
                if connection is not None:
                    connection.close(REVOKED, "this host was revoked")
                await bell.forget_user(host_id)
            case bus.HOST_SUPERSEDED:
                if connection is not None and connection.epoch < int(message["epoch"]):
                    connection.close(4409, "a newer connection of this host")
            case bus.HOST_REFRESH:
                await HUB.tell(host_id, reports.write("refresh"))
            case bus.ORDER_CANCEL:
                await HUB.tell(host_id, reports.write("cancel", order_id=str(message["order_id"])))
