"""Containers: make them, run them, look at them. Docker Engine API: Container."""

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from aiohttp import web

from agent.engine import shapes
from agent.engine.api import params
from agent.engine.api.answers import empty, line, reply, stream
from agent.engine.api.middleware import ends_with_client
from agent.engine.api.pruning import matcher
from agent.engine.api.schema.containers import inspection
from agent.engine.containers.listing import FILTERS
from agent.engine.containers.prune import Matches
from agent.engine.errors import Invalid

CONDITIONS = ("not-running", "next-exit", "removed")
PERHAPS_LINK = "{name:[^/]+(?:/[^/]+)?}"
"""A container, or the link ``PARENT/ALIAS`` that means one."""
PRUNE_FILTERS = frozenset({"label", "label!", "until"})
# A start may carry no HostConfig since 1.24; clients that send "{}" are let through, as dockerd does.
LARGEST_START_BODY = 7
SEVERAL_NETWORKS_SINCE = (1, 44)
RECURSIVE_READ_ONLY_SINCE, SUBPATH_SINCE = (1, 44), (1, 45)


class Exit(Protocol):
    """How a wait ended."""

    @property
    def code(self) -> int: ...
    @property
    def error(self) -> str: ...


class Verbs(Protocol):
    """What these routes need of ``ContainerService``; every one raises NotFound for a container that is not there."""

    async def create(
        self, name: str, body: Mapping[str, Any], platform: str, *, deep: bool
    ) -> tuple[str, Sequence[str]]: ...
    async def start(self, ref: str) -> None: ...
    async def stop(self, ref: str, timeout: int | None, signal: str) -> None: ...
    async def restart(self, ref: str, timeout: int | None, signal: str) -> None: ...
    async def kill(self, ref: str, signal: str) -> None: ...
    async def pause(self, ref: str) -> None: ...
    async def unpause(self, ref: str) -> None: ...
    async def rename(self, ref: str, name: str) -> None: ...
    async def update(self, ref: str, body: Mapping[str, Any]) -> Sequence[str]: ...
    async def remove(self, ref: str, *, force: bool, volumes: bool, link: bool) -> None: ...
    async def prune(self, matches: Matches) -> tuple[Sequence[str], int]: ...
    def wait(self, ref: str, condition: str) -> Awaitable[Exit]: ...


class Views(Protocol):
    """What these routes need of ``api/backends.ContainerViews``."""

    async def inspect(self, ref: str, *, size: bool) -> dict[str, Any]: ...
    async def list(
        self, filters: params.Filters, *, everything: bool, limit: int, size: bool
    ) -> Sequence[dict[str, Any]]: ...
    async def changes(self, ref: str) -> Sequence[tuple[str, int]]: ...
    async def top(self, ref: str, arguments: str) -> dict[str, Any]: ...
    async def stats_once(self, ref: str, *, one_shot: bool) -> dict[str, Any]: ...
    def stats_stream(self, ref: str) -> AsyncGenerator[dict[str, Any], None]: ...


def routes(verbs: Verbs, views: Views) -> list[web.RouteDef]:
    """The table."""
    handlers = _Handlers(verbs, views)
    return [
        web.get("/containers/json", handlers.list),
        web.post("/containers/create", handlers.create),
        web.post("/containers/prune", handlers.prune),
        web.get(f"/containers/{PERHAPS_LINK}/json", handlers.inspect),
        web.get("/containers/{name}/top", handlers.top),
        web.get("/containers/{name}/stats", handlers.stats),
        web.get("/containers/{name}/changes", handlers.changes),
        web.post("/containers/{name}/start", handlers.start),
        web.post("/containers/{name}/stop", handlers.stop),
        web.post("/containers/{name}/restart", handlers.restart),
        web.post("/containers/{name}/kill", handlers.kill),
        web.post("/containers/{name}/pause", handlers.pause),
        web.post("/containers/{name}/unpause", handlers.unpause),
        web.post("/containers/{name}/rename", handlers.rename),
        web.post("/containers/{name}/update", handlers.update),
        web.post("/containers/{name}/wait", handlers.wait),
        web.delete(f"/containers/{PERHAPS_LINK}", handlers.remove),
    ]


class _Handlers:
    def __init__(self, verbs: Verbs, views: Views) -> None:
        self._verbs, self._views = verbs, views

    async def list(self, request: web.Request) -> web.StreamResponse:
        return reply(
            await self._views.list(
                params.filters(request, allowed=FILTERS),
                everything=params.flag(request, "all"),
                limit=params.integer(request, "limit", parser="Atoi"),
                size=params.flag(request, "size"),
            )
        )

    async def create(self, request: web.Request) -> web.StreamResponse:
        body = await params.json_body(request, shapes.CREATE)
        if not body:
            raise Invalid("Config cannot be empty in order to create a container")
        check_mounts(body, request["version"])
        check_networks(body, request["version"])
        id_, warnings = await self._verbs.create(
            request.query.get("name", ""),
            body,
            request.query.get("platform", ""),
            deep=request["version"] >= RECURSIVE_READ_ONLY_SINCE,
        )
        return reply({"Id": id_, "Warnings": warnings}, status=201)

    async def start(self, request: web.Request) -> web.StreamResponse:
        length = request.content_length
        if (length is None and request.can_read_body) or (length or 0) > LARGEST_START_BODY:
            raise Invalid(
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
            )
        if request.query.get("checkpoint"):
            raise Invalid("checkpoint is only supported in experimental mode")
        await self._verbs.start(request.match_info["name"])
        return empty()

    async def stop(self, request: web.Request) -> web.StreamResponse:
        await self._verbs.stop(request.match_info["name"], _timeout(request), request.query.get("signal", ""))
        return empty()

    async def restart(self, request: web.Request) -> web.StreamResponse:
        await self._verbs.restart(request.match_info["name"], _timeout(request), request.query.get("signal", ""))
        return empty()

    async def kill(self, request: web.Request) -> web.StreamResponse:
        await self._verbs.kill(request.match_info["name"], request.query.get("signal", ""))
        return empty()

    async def pause(self, request: web.Request) -> web.StreamResponse:
        await self._verbs.pause(request.match_info["name"])
        return empty()

    async def unpause(self, request: web.Request) -> web.StreamResponse:
        await self._verbs.unpause(request.match_info["name"])
        return empty()

    async def rename(self, request: web.Request) -> web.StreamResponse:
        await self._verbs.rename(request.match_info["name"], request.query.get("name", ""))
        return empty()

    async def update(self, request: web.Request) -> web.StreamResponse:
        body = await params.json_body(request, shapes.RESOURCES)
        return reply({"Warnings": await self._verbs.update(request.match_info["name"], body) or None})

    async def remove(self, request: web.Request) -> web.StreamResponse:
        await self._verbs.remove(
            request.match_info["name"],
            force=params.flag(request, "force"),
            volumes=params.flag(request, "v"),
            link=params.flag(request, "link"),
        )
        return empty()

    async def prune(self, request: web.Request) -> web.StreamResponse:
        removed, space = await self._verbs.prune(matcher(params.filters(request, allowed=PRUNE_FILTERS)))
        return reply({"ContainersDeleted": removed or None, "SpaceReclaimed": space})

    @ends_with_client
    async def wait(self, request: web.Request) -> web.StreamResponse:
        condition = request.query.get("condition") or "not-running"
        if condition not in CONDITIONS:
            raise Invalid(f'invalid condition: "{condition}"')
        # Registered before the head leaves: the client starts the container as soon as it has the head.
        waiting = self._verbs.wait(request.match_info["name"], condition)
        response = await stream(request)
        end = await waiting
        error = {"Message": end.error} if end.error else None
        await response.write(line({"Error": error, "StatusCode": end.code}))
        return response

    async def inspect(self, request: web.Request) -> web.StreamResponse:
        found = await self._views.inspect(request.match_info["name"], size=params.flag(request, "size"))
        return reply(inspection(found, request["version"]))

    async def changes(self, request: web.Request) -> web.StreamResponse:
        found = await self._views.changes(request.match_info["name"])
        return reply([{"Path": path, "Kind": int(kind)} for path, kind in found] or None)

    async def top(self, request: web.Request) -> web.StreamResponse:
        return reply(await self._views.top(request.match_info["name"], request.query.get("ps_args", "")))

    async def stats(self, request: web.Request) -> web.StreamResponse:
        name, one_shot = request.match_info["name"], params.flag(request, "one-shot")
        if not params.flag(request, "stream", True):
            return reply(await self._views.stats_once(name, one_shot=one_shot))
        if one_shot:
            raise Invalid("cannot have stream=true and one-shot=true")
        samples = self._views.stats_stream(name)
        response = await stream(request)
        async with aclosing(samples):
            async for sample in samples:
                await response.write(line(sample))
        return response


def _timeout(request: web.Request) -> int | None:
    return params.integer(request, "t", parser="Atoi") if request.query.get("t") else None


def check_networks(body: Mapping[str, Any], version: tuple[int, int]) -> None:
    """Until API 1.43 a container was created with one network at most.

    Raises:
        Invalid: more are asked for.
    """
    config = body.get("NetworkingConfig")
    named = list(config.get("EndpointsConfig") or {}) if isinstance(config, Mapping) else []
    if len(named) > 1 and version < SEVERAL_NETWORKS_SINCE:
        raise Invalid(f"Container cannot be connected to network endpoints: {', '.join(named)}")


def check_mounts(body: Mapping[str, Any], version: tuple[int, int]) -> None:
    """Refuse what an older version of the API did not know.

    Raises:
        Invalid: in dockerd's words.
    """
    host = body.get("HostConfig")
    for mount in (host.get("Mounts") or ()) if isinstance(host, Mapping) else ():
        if version < RECURSIVE_READ_ONLY_SINCE and (mount.get("BindOptions") or {}).get("ReadOnlyForceRecursive"):
            raise Invalid("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
        if version < SUBPATH_SINCE and (mount.get("VolumeOptions") or {}).get("Subpath"):
            raise Invalid("VolumeOptions.Subpath needs API v1.45 or newer")
