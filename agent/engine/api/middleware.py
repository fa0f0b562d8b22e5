"""What every answer of the API has, whatever the route: Docker's headers, and errors as Docker words them."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from agent.engine.api import errors, versions

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
H = TypeVar("H", bound=Callable[..., Awaitable[web.StreamResponse]])

HEADERS = {
    "Api-Version": versions.text(versions.NEWEST),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    # Old clients learn the operating system by matching "Docker/… (linux)".
    "Server": f"Docker/{versions.ENGINE}+longshore (linux)",
}

_REST, _REST_SECONDS = 1 << 18, 1.0
_ABORTABLE = "__ends_with_client__"


def ends_with_client(handler: H) -> H:
    """Mark a handler that only waits or streams: it is cancelled when its client goes away.

    Every other handler that changes something is carried through, client or not, so that nothing stops half done.
    """
    setattr(handler, _ABORTABLE, True)
    return handler


async def run(
    handler: Handler, request: web.Request, running: set[asyncio.Task[web.StreamResponse]]
) -> web.StreamResponse:
    """Call a handler; an error becomes an answer, unless the head of one has already left."""
    if request.method in ("GET", "HEAD") or getattr(handler, _ABORTABLE, False):
        return await _guarded(handler, request)
    task = asyncio.ensure_future(_guarded(handler, request))
    running.add(task)
    task.add_done_callback(running.discard)
    return await asyncio.shield(task)


async def _guarded(handler: Handler, request: web.Request) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConnectionResetError:
        # The client left while it was being told; nobody is there to read a better answer.
        return web.Response()
    except Exception as error:
        await _read_on(request)
        return errors.answer(error)


async def _read_on(request: web.Request) -> None:
    """Take the rest of a short body before it is refused, as Go's server does: who still sends it would stumble."""
    if not request.can_read_body or "Upgrade" in request.headers or request.content.exception() is not None:
        return
    left = _REST
    with contextlib.suppress(TimeoutError, OSError, web.HTTPException, HttpProcessingError, RuntimeError):
        async with asyncio.timeout(_REST_SECONDS):
            while left > 0 and (data := await request.content.read(min(left, 1 << 16))):
                left -= len(data)


async def put_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: the last look at an answer's head before it leaves."""
    fields = response.headers
    if isinstance(response, web.WebSocketResponse):
        # dockerd's WebSocket library answers with nothing but the handshake.
        fields["Connection"] = "Upgrade"
        for name in ("Date", "Server"):
            fields.popall(name, None)
        return
    fields.update(HEADERS)
    kind = fields.get("Content-Type")
    if kind == "application/json; charset=utf-8":
        fields["Content-Type"] = "application/json"
    elif kind == "" or (
        kind == "application/octet-stream" and isinstance(response, web.Response) and not response.body
    ):
        # dockerd names no type where there is no body, nor for a log.
        del fields["Content-Type"]
