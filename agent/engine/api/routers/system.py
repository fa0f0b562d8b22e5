"""The engine itself: is it there, what is it, what happens in it. Docker Engine API: System."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from agent.engine.api import params, versions
from agent.engine.api.answers import line, reply, stream
from agent.engine.api.schema.system import KINDS_SINCE
from agent.engine.errors import Invalid, System, Unavailable
from agent.engine.events import EventBus, Lagging

EVENT_FILTERS = frozenset(
    {
        "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope", "secret",
        "service", "type", "volume",
    }
)  # fmt: skip
KINDS = {"container", "image", "volume", "build-cache"}
PING = {
    # The CLI builds by the classic API where it reads 1.
    "Builder-Version": "1",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Content-Type": "text/plain; charset=utf-8",
}
# Filters that name an object: type of the event -> attribute that holds another name of it.
_NAMED = {"container": "name", "network": "name", "volume": "name", "daemon": "name", "plugin": "name"}


class Backend(Protocol):
    """What these routes need."""

    @property
    def events(self) -> EventBus: ...
    def version(self) -> dict[str, Any]: ...
    async def info(self, version: versions.Version) -> dict[str, Any]: ...
    async def disk_usage(self, kinds: set[str], version: versions.Version) -> dict[str, Any]: ...
    async def login(self, credentials: Mapping[str, Any]) -> str: ...


def routes(backend: Backend) -> list[web.RouteDef]:
    """The table."""
    handlers = _Handlers(backend)
    return [
        web.get("/_ping", handlers.ping),
        web.head("/_ping", handlers.ping),
        web.get("/version", handlers.version),
        web.get("/info", handlers.info),
        web.get("/events", handlers.events),
        web.get("/system/df", handlers.disk_usage),
        web.post("/auth", handlers.auth),
    ]


class _Handlers:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def ping(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response(headers=PING | {"Content-Length": "0"})
        return web.Response(body=b"OK", headers=PING)

    async def version(self, _: web.Request) -> web.StreamResponse:
        return reply(self._backend.version())

    async def info(self, request: web.Request) -> web.StreamResponse:
        return reply(await self._backend.info(request["version"]))

    async def disk_usage(self, request: web.Request) -> web.StreamResponse:
        asked = set(request.query.getall("type", [])) if request["version"] >= KINDS_SINCE else set()
        kinds = asked or KINDS
        unknown = kinds - KINDS
        if unknown:
            raise Invalid(f"unknown object type: {sorted(unknown)[0]}")
        return reply(await self._backend.disk_usage(kinds, request["version"]))

    async def auth(self, request: web.Request) -> web.StreamResponse:
        try:
            status = await self._backend.login(await params.json_body(request))
        except Unavailable as error:
            # the registry's trouble, not the engine's: dockerd says 500
            raise System(str(error)) from error
        return reply({"Status": status, "IdentityToken": ""})

    async def events(self, request: web.Request) -> web.StreamResponse:
        since_text, until_text = request.query.get("since", ""), request.query.get("until", "")
        since, until = params.moment(request, "since"), params.moment(request, "until")
        if since and until and since > until:
            raise Invalid(f"`since` time ({since_text}) cannot be after `until` time ({until_text})")
        wanted = params.filters(request, allowed=EVENT_FILTERS)
        bus = self._backend.events
        with bus.subscribe() as subscription:
            # at the same moment, so that each event is in one of them: an exit that is found late has an earlier time
            past = tuple(bus.history(since, until or None)) if since else ()
            response = await stream(request)
            for event in past:
                if selected(event, wanted):
                    await response.write(line(event))
            if until and until <= time.time_ns():
                return response
            timeout = (until - time.time_ns()) / 1e9 if until else None
            try:
                async with asyncio.timeout(timeout):
                    async for event in subscription:
                        if selected(event, wanted):
                            await response.write(line(event))
            except (TimeoutError, Lagging):
                # A client that was cut off sees the end of the stream and asks again with since.
                pass
            return response


def selected(event: Mapping[str, Any], filters: params.Filters) -> bool:
    """The event passes every filter; values of one key are alternatives, but labels must all be there."""
    return all(_holds(event, key, values) for key, values in filters.items() if values)


def _holds(event: Mapping[str, Any], key: str, values: list[str]) -> bool:
    actor = event["Actor"]
    attributes: Mapping[str, str] = actor["Attributes"]
    if key == "type":
        return event["Type"] in values
    if key == "scope":
        return event["scope"] in values
    if key == "event":
        # "exec_start: sh -c …" and "health_status: healthy" are also found by their first word.
        return event["Action"] in values or event["Action"].partition(":")[0] in values
    if key == "label":
        return all(_labelled(attributes, value) for value in values)
    if key == "image":
        name = attributes.get("name" if event["Type"] == "image" else "image", "")
        return any(value in {actor["ID"], name, _untagged(actor["ID"]), _untagged(name)} for value in values)
    if event["Type"] != key:
        return False
    name = attributes.get(_NAMED.get(key, "name"), "")
    return any(actor["ID"].startswith(value) or name.startswith(value) for value in values)


def _labelled(attributes: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in attributes and (not equals or attributes[key] == value)


def _untagged(name: str) -> str:
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name
