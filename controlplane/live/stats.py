"""`/ws/containers/{id}/stats` and `/ws/hosts/{id}/stats`: samples as they come; a slow page loses the oldest."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from agent.protocol.samples import stats as sample_of
from controlplane.common import rights
from controlplane.common.errors import Conflict, EngineFailed, Invalid
from controlplane.gateway.dial import HostStream, engine_refusal, open_stream
from controlplane.live import target
from controlplane.live.feed import FEED
from controlplane.live.socket import Closed, Socket, until_first

_LONGEST: Final = 1 << 20
_MOST_SECONDS: Final = 60


async def container(socket: Socket, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    """The engine's own samples, each `every` seconds."""
    found = await target.container(socket, parts["id"], rights.CONTAINERS_VIEW)
    every = _every(query.get("every", "1"))
    if not target.running(found):
        raise Conflict(f"The container is {found.state}", code="not_running")
    opened = await open_stream(
        found.host_id, "GET", f"/containers/{found.engine_id}/stats", query={"stream": 1}, end=False
    )
    if opened.status >= 400:
        await opened.close()
        raise engine_refusal(opened.status, "The engine refuses its stats")
    await _until_left(socket, _pass_on(socket, opened, every))


async def host(socket: Socket, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    """The host's own samples, as it reports them."""
    found = await target.host(socket, parts["id"])
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(16)

    def told(kind: str, content: dict[str, Any]) -> None:
        if kind == "stats" and content["host_id"] == str(found.pk) and content["host"] and not queue.full():
            queue.put_nowait(content["host"])

    async def pass_on() -> None:
        while True:
            socket.offer("sample", **(await queue.get()))

    FEED.add(told)
    try:
        await _until_left(socket, pass_on())
    finally:
        FEED.remove(told)


async def _pass_on(socket: Socket, opened: HostStream, every: int) -> None:
    rest, count, before = b"", 0, None
    try:
        async for chunk in opened.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST:
                raise EngineFailed("The engine's stats cannot be read")
            for line in whole:
                if not line.strip():
                    continue
                now = json.loads(line)
                sample: dict[str, Any] = dict(sample_of("", now, before))
                before = now
                del sample["engine_id"]
                if sample["at"].startswith("0001-"):
                    raise Closed(1000, "the engine has no figures of the container any more")
                if count % every == 0:
                    socket.offer("sample", **sample)
                count += 1
    except ValueError:
        raise EngineFailed("The engine's stats cannot be read") from None
    finally:
        await opened.close()


async def _until_left(socket: Socket, work: Any) -> None:
    """Do something until it ends, or the page leaves."""
    await until_first(work, _listen(socket))


async def _listen(socket: Socket) -> None:
    while True:
        await socket.read()


def _every(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_SECONDS:
        raise Invalid(f"every must be 1 to {_MOST_SECONDS} seconds")
    return int(text)
