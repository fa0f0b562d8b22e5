"""What a web process does besides answering: listens on the bus, and closes or tells the agents that it holds."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
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
    """The ASGI lifespan. `also` hear every message of the bus too."""

    def __init__(self, *also: Heard) -> None:
        self._also = also

    async def __call__(
        self, receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        await receive()
        HUB.loop = asyncio.get_running_loop()
        listening = asyncio.create_task(self._listen())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        for connection in HUB.all():
            connection.close(1012, "the control plane is restarting")
        await send({"type": "lifespan.shutdown.complete"})

    async def _listen(self) -> None:
        while True:
            try:
                async for message in bus.listen():
                    await heard(message)
                    for one in self._also:
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
