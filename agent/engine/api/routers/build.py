"""``/build``: Docker Engine API ImageBuild, the classic builder, and BuildCancel, BuildPrune."""

import json
import re
from collections.abc import AsyncIterable, Mapping
from typing import Any, Protocol

from aiohttp import web

from agent.engine.api import params, progress
from agent.engine.api.answers import empty, reply
from agent.engine.api.middleware import ends_with_client
from agent.engine.build.options import BuildOptions
from agent.engine.build.output import BuildFailed, Report
from agent.engine.errors import Invalid

Json = dict[str, Any]
BUILDKIT = "BuildKit is not part of this engine: build with the classic builder, DOCKER_BUILDKIT=0"
REFUSED = {
    "squash": "squash is not supported",
    "securityopt": "The daemon on this platform does not support setting security options on build",
}
NUMBERS = {
    "memory": "Memory",
    "memswap": "MemorySwap",
    "cpushares": "CpuShares",
    "cpuperiod": "CpuPeriod",
    "cpuquota": "CpuQuota",
    "shmsize": "ShmSize",
}
WORDS = {"cpusetcpus": "CpusetCpus", "cpusetmems": "CpusetMems", "cgroupparent": "CgroupParent"}
# Of these, folders of caches have none: such a filter chooses no folder.
_UNKNOWN_OF_CACHES = frozenset({"description", "id", "inuse", "label", "parent", "private", "shared", "type"})
PRUNE_FILTERS = _UNKNOWN_OF_CACHES | {"label!", "unused-for", "until"}
DEFAULTS = frozenset({"", "0", "false", "default", "{}", "[]", "null"})


class Backend(Protocol):
    """What these routes need of ``BuildService``."""

    async def build(self, chunks: AsyncIterable[bytes], options: BuildOptions, report: Report) -> None: ...
    async def prune(self) -> tuple[list[str], int]: ...


def routes(backend: Backend) -> list[web.RouteDef]:
    """The table."""
    handlers = _Handlers(backend)
    return [
        web.post("/build", handlers.build),
        web.post("/build/cancel", handlers.cancel),
        web.post("/build/prune", handlers.prune),
    ]


class _Handlers:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @ends_with_client
    async def build(self, request: web.Request) -> web.StreamResponse:
        """The step's container goes with the client."""
        options = options_of(request)

        async def work(report: progress.Progress) -> None:
            try:
                await self._backend.build(request.content.iter_any(), options, report)
            except BuildFailed as failed:
                detail = {"code": failed.code, "message": str(failed)}
                report({"errorDetail": detail, "error": str(failed)})

        return await progress.run(request, work)

    async def cancel(self, request: web.Request) -> web.Response:
        """Builds of this API end with their connection; there is nothing else to cancel."""
        if not request.query.get("id"):
            raise Invalid("build ID not provided")
        return empty(200)

    async def prune(self, request: web.Request) -> web.Response:
        """Folders of ``RUN --mount=type=cache``; the cache of steps is the images themselves."""
        given = params.filters(request, allowed=PRUNE_FILTERS)
        params.integer(request, "keep-storage", parser="Atoi")
        names, freed = ([], 0) if given.keys() & _UNKNOWN_OF_CACHES else await self._backend.prune()
        return reply({"CachesDeleted": names or None, "SpaceReclaimed": freed})


def options_of(request: web.Request) -> BuildOptions:
    """The query and headers, read.

    Raises:
        Invalid: an option that this builder does not have, by its name, or one that is malformed.
    """
    query = request.query
    if query.get("version") == "2" or query.get("remote") == "client-session" or query.get("session"):
        raise Invalid(BUILDKIT)
    if query.get("remote"):
        raise Invalid("building from an address (remote) is not supported: send the context as an archive")
    for name, reason in REFUSED.items():
        if query.get(name, "").lower() not in DEFAULTS:
            raise Invalid(reason)
    if (isolation := query.get("isolation", "")).lower() not in DEFAULTS:
        raise Invalid(f'unsupported isolation: "{isolation}"')
    if query.get("outputs", "") not in DEFAULTS:
        raise Invalid(BUILDKIT)
    return BuildOptions(
        dockerfile=query.get("dockerfile") or "Dockerfile",
        tags=tuple(tag for tag in query.getall("t", []) if tag),
        quiet=params.flag(request, "q"),
        no_cache=params.flag(request, "nocache"),
        cache_from=_names(query, "cachefrom"),
        pull=params.flag(request, "pull"),
        remove=params.flag(request, "rm", default=True) or params.flag(request, "forcerm"),
        arguments=_strings(query, "buildargs", nullable=True),
        labels={name: value or "" for name, value in _strings(query, "labels").items()},
        target=query.get("target", ""),
        platform=query.get("platform", ""),
        network=query.get("networkmode", ""),
        host_config=_host_config(request),
        credentials=params.registry_auth(request, "X-Registry-Config"),
    )


def _host_config(request: web.Request) -> Json:
    query = request.query
    found: Json = {key: params.integer(request, name) for name, key in NUMBERS.items()}
    found |= {key: query.get(name, "") for name, key in WORDS.items()}
    found["ExtraHosts"] = [host for given in query.getall("extrahosts", []) for host in re.split(r",", given) if host]
    if query.get("ulimits", "") not in DEFAULTS:
        found["Ulimits"] = _json(query, "ulimits", list)
    return {key: value for key, value in found.items() if value}


def _names(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    if query.get(name, "") in DEFAULTS:
        return ()
    found = _json(query, name, list)
    if not all(isinstance(one, str) for one in found):
        raise Invalid(f"{name} must be a list of names")
    return tuple(found)


def _strings(query: Mapping[str, str], name: str, *, nullable: bool = False) -> dict[str, str | None]:
    if query.get(name, "") in DEFAULTS:
        return {}
    found = _json(query, name, dict)
    for key, value in found.items():
        if not isinstance(value, str) and not (nullable and value is None):
            raise Invalid(f"{name}: the value of {key} must be a string")
    return dict(found)


def _json(query: Mapping[str, str], name: str, kind: type) -> Any:
    try:
        found = json.loads(query[name])
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not JSON: {error}") from None
    if not isinstance(found, kind):
        raise Invalid(f"{name} must be a JSON {'object' if kind is dict else 'array'}")
    return found
