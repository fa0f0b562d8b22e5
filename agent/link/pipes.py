"""Live streams into the engine: an allow-list, and the bytes between stream and socket.

A stream opens with `{method, path, query, headers, upgrade}`; the answer's head is `{status, headers}`, then its bytes
follow. The request is built here, from what the list names only. Nothing on the list makes, changes or removes an
object of the engine, an exec session and files inside a container aside.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from agent.link.docker import Engine, EngineDown, EngineError, Exchange
from agent.link.policy import Denied, Policy, exact
from agent.protocol.mux import StreamClosed
from agent.protocol.session import Stream

_ID: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}"
_IMAGE: Final = r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,510}"
_SMALL_BODY: Final = 64 * 1024
_PASSED_ON: Final = ("content-type", "x-docker-container-path-stat", "docker-experimental", "api-version")


@dataclass(frozen=True)
class Route:
    """One call that may be made. `changes` and `enters` are what the host's policy asks about."""

    name: str
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    body: str = ""  # "", json (small, inspected) or bytes
    upgrade: bool = False
    changes: bool = False
    enters: bool = False


def _route(name: str, method: str, path: str, query: str = "", **more: Any) -> Route:
    pattern = path.replace("{id}", _ID).replace("{image}", _IMAGE)
    return Route(name, method, re.compile(pattern), frozenset(query.split()), **more)


ROUTES: Final = (
    _route("logs", "GET", "/containers/{id}/logs", "follow stdout stderr since until timestamps tail"),
    _route("stats", "GET", "/containers/{id}/stats", "stream one-shot"),
    _route("top", "GET", "/containers/{id}/top", "ps_args"),
    _route("changes", "GET", "/containers/{id}/changes"),
    _route("inspect", "GET", "/containers/{id}/json", "size"),
    _route("inspect image", "GET", "/images/{image}/json"),
    _route("image history", "GET", "/images/{image}/history"),
    _route("image list", "GET", "/images/json", "all filters digests"),
    _route("inspect volume", "GET", "/volumes/{id}"),
    _route("inspect network", "GET", "/networks/{id}"),
    _route("disk usage", "GET", "/system/df", "type"),
    _route("events", "GET", "/events", "since until filters"),
    _route("archive", "GET", "/containers/{id}/archive", "path"),
    _route("archive head", "HEAD", "/containers/{id}/archive", "path"),
    _route("archive put", "PUT", "/containers/{id}/archive", "path noOverwriteDirNonDir copyUIDGID",
           body="bytes", changes=True, enters=True),
    _route("attach", "POST", "/containers/{id}/attach", "detachKeys logs stream stdin stdout stderr",
           upgrade=True),
    _route("resize", "POST", "/containers/{id}/resize", "h w"),
    _route("exec create", "POST", "/containers/{id}/exec", body="json", changes=True, enters=True),
    _route("exec start", "POST", "/exec/{id}/start", body="json", upgrade=True, changes=True, enters=True),
    _route("exec resize", "POST", "/exec/{id}/resize", "h w"),
    _route("exec inspect", "GET", "/exec/{id}/json"),
)  # fmt: skip


def find_route(head: dict[str, Any]) -> tuple[Route, dict[str, str]]:
    """The route of a stream's head, and its query.

    Raises:
        Denied: not on the list, or a query parameter that the route does not take.
    """
    method, path, query = head.get("method"), head.get("path"), head.get("query") or {}
    if not isinstance(method, str) or not isinstance(path, str) or not isinstance(query, dict):
        raise Denied("allow_list", "a stream must name its method, path and query")
    # a route of a fixed name would also match as an image of that name
    segments = path.split("/")
    for route in ROUTES:
        if route.method == method and route.path.fullmatch(path) and ".." not in segments and "" not in segments[1:]:
            if unknown := sorted(str(name) for name in query if name not in route.query):
                raise Denied("allow_list", f"{route.name} does not take {', '.join(unknown)}")
            return route, {str(name): str(value) for name, value in query.items()}
    raise Denied("allow_list", f"{method} {path[:200]} is not on the list of what may be streamed")


async def serve(stream: Stream, head: dict[str, Any], engine: Engine, policy: Policy) -> None:
    """Answer one `engine` stream to its end. Never raises for what the stream or the engine does."""
    try:
        route, query = find_route(head)
        feeds = route.enters or _is_true(query.get("stdin", ""))
        policy.check_stream(route.name, changes=route.changes or feeds, enters=feeds)
        body = await _body(stream, route, policy)
        exchange = await engine.open(
            route.method,
            str(head["path"]),
            query=urlencode(query),
            headers=_headers(route, bool(head.get("upgrade"))),
            body=body,
        )
    except Denied as denied:
        await stream.reset("denied", f"{denied} (rule: {denied.rule})")
    except EngineDown as down:
        await stream.reset("engine_down", str(down))
    except EngineError as error:
        await stream.reset("bad_request", error.message)
    except StreamClosed:
        pass
    else:
        await _join(stream, exchange, route)


def _is_true(value: str) -> bool:
    """A flag as dockerd reads it: whatever does not say no."""
    return value.strip().lower() not in {"", "0", "no", "false", "none"}


async def _body(stream: Stream, route: Route, policy: Policy) -> bytes | AsyncIterator[bytes] | None:
    if route.body == "bytes":
        return aiter(stream)
    if route.body != "json":
        return None
    # a hijacked call goes on writing after its body: the body is the first line
    raw = b""
    while b"\n" not in raw and (chunk := await stream.read()):
        raw += chunk
        if len(raw) > _SMALL_BODY:
            raise EngineError(400, "the request's body is too long")
    try:
        content = json.loads(raw or b"{}")
    except ValueError:
        raise EngineError(400, "the request's body is not JSON") from None
    if not isinstance(content, dict):
        raise EngineError(400, "the request's body is not an object")
    if not policy.rules().privileged and exact(content, "Privileged").get("Privileged"):
        raise Denied("privileged", "this host's policy forbids privileged exec")
    return json.dumps(content).encode()


def _headers(route: Route, upgrade: bool) -> dict[str, str]:
    headers: dict[str, str] = {}
    if route.body == "json":
        headers["Content-Type"] = "application/json"
    elif route.body == "bytes":
        headers["Content-Type"] = "application/x-tar"
    if route.upgrade and upgrade:
        headers |= {"Connection": "Upgrade", "Upgrade": "tcp"}
    return headers


async def _join(stream: Stream, exchange: Exchange, route: Route) -> None:
    """Carry bytes until both directions ended, or either side broke."""
    sending: asyncio.Task[None] | None = None
    try:
        await stream.accept(
            {
                "status": exchange.status,
                "headers": {name: exchange.headers[name] for name in _PASSED_ON if name in exchange.headers},
            }
        )
        # the log of a terminal is "raw" too, and must not end because its viewer sends no more
        if exchange.upgraded and route.upgrade:
            sending = asyncio.create_task(_feed(stream, exchange))
        else:
            sending = asyncio.create_task(_drain(stream, exchange)) if route.body != "bytes" else None
        async for chunk in exchange.chunks():
            await stream.write(chunk)
        await stream.end()
    except EngineDown as down:
        await stream.reset("engine_down", str(down))
    except (StreamClosed, OSError):
        pass
    finally:
        exchange.close()
        if sending is not None:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _feed(stream: Stream, exchange: Exchange) -> None:
    """The viewer's bytes into a hijacked call; its end is a half-close, its reset hangs up."""
    try:
        async for chunk in stream:
            exchange.writer.write(chunk)
            await exchange.writer.drain()
        if exchange.writer.can_write_eof():
            exchange.writer.write_eof()
    except (StreamClosed, OSError):
        exchange.close()


async def _drain(stream: Stream, exchange: Exchange) -> None:
    """A viewer that leaves ends the call, also one that is silent at that time."""
    try:
        async for _ in stream:
            pass
    except StreamClosed:
        exchange.close()
