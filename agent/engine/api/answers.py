"""Answers in the bytes that dockerd would send: JSON with a newline, no charset; a stream whose head leaves at once."""

from typing import Any

import msgspec
from aiohttp import web

_encoder = msgspec.json.Encoder()


def reply(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    fields = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(body=_encoder.encode(value) + b"\n", status=status, headers=fields)


def empty(status: int = 204) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status)


def line(value: Any) -> bytes:
    """One JSON object of a stream."""
    return _encoder.encode(value) + b"\n"


async def stream(request: web.Request, *, content_type: str = "application/json") -> web.StreamResponse:
    """Begin a streamed answer and flush its head, before there is anything to say.

    Clients that wait for the head of a silent stream (events, logs, wait) would otherwise hang.

    Args:
        content_type: empty for none.
    """
    response = web.StreamResponse(headers={"Content-Type": content_type})
    if request.version >= (1, 1):
        response.enable_chunked_encoding()
    await response.prepare(request)
    return response
