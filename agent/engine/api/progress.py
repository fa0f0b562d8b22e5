"""Answers that tell of progress: JSON objects as they come, errors inside of the stream once it has begun.

Clients of pull, push and load look at ``error`` in the stream only after a 200; what fails before the first object is
an ordinary error answer.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from agent.engine.api.answers import stream
from agent.engine.api.errors import text
from agent.engine.errors import System, Unavailable

Progress = Callable[[dict[str, Any]], None]


async def run(
    request: web.Request, work: Callable[[Progress], Awaitable[object]], *, at_once: bool = False
) -> web.StreamResponse:
    """Do the work and stream what it reports. The work is cancelled when the client leaves.

    Args:
        work: gets the function that it reports to.
        at_once: begin the stream before the first object, so that every error lies inside of it.

    Raises:
        EngineError: the work failed before it said anything.
    """
    lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(lines.put_nowait))
    task.add_done_callback(lambda _: lines.put_nowait(None))
    response: web.StreamResponse | None = None
    try:
        if at_once:
            response = await stream(request)
        while (first := await lines.get()) is not None:
            if response is None:
                response = await stream(request)
            await response.write(_drained(first, lines))
        failure = task.exception()
        if failure is not None:
            if isinstance(failure, Unavailable):
                # dockerd answers 500 where a registry does not.
                failure = System(str(failure))
            if response is None:
                raise failure
            await response.write(_line({"errorDetail": {"message": text(failure)}, "error": text(failure)}))
        if response is None:
            response = await stream(request)
        await response.write_eof()
        return response
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


def _line(value: dict[str, Any]) -> bytes:
    """dockerd ends the lines of progress, and no others, with a carriage return."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\r\n"


def _drained(first: dict[str, Any], lines: "asyncio.Queue[dict[str, Any] | None]") -> bytes:
    """The first object and all that wait behind it, in one piece."""
    out = bytearray(_line(first))
    while not lines.empty():
        item = lines.get_nowait()
        if item is None:
            lines.put_nowait(None)
            break
        out += _line(item)
    return bytes(out)
