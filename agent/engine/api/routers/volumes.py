"""``/volumes``: Docker Engine API VolumeList, VolumeInspect, VolumeCreate, VolumeDelete, VolumePrune."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from agent.engine.api import params
from agent.engine.api.answers import empty, reply
from agent.engine.api.pruning import matcher
from agent.engine.errors import Invalid
from agent.engine.state.records import VolumeRecord
from agent.engine.state.times import rfc3339nano
from agent.engine.volumes.driver import Found

LIST_FILTERS = frozenset({"dangling", "driver", "label", "name"})
PRUNE_FILTERS = frozenset({"label", "label!"})
ANONYMOUS_ONLY_SINCE = (1, 42)
ANONYMOUS_LABEL = "com.docker.volume.anonymous"
TRUE, FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
PATH = "/volumes"


class Backend(Protocol):
    """What the router needs of ``VolumeService``."""

    async def inspect(self, name: str) -> tuple[VolumeRecord, Found]: ...
    async def everything(self) -> tuple[Sequence[VolumeRecord], Sequence[str]]: ...
    def users(self, name: str) -> Sequence[str]: ...
    async def create(
        self,
        name: str = "",
        *,
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> VolumeRecord: ...
    async def remove(self, name: str, *, force: bool = False) -> None: ...
    async def prune(self, matches: Any) -> tuple[Sequence[str], int]: ...


def labels(record: VolumeRecord, version: tuple[int, int]) -> dict[str, str]:
    """A volume's labels; from 1.42 on one tells that it is anonymous."""
    mark = {ANONYMOUS_LABEL: ""} if record.anonymous and version >= ANONYMOUS_ONLY_SINCE else {}
    return {**record.labels, **mark}


def inspect(record: VolumeRecord, version: tuple[int, int]) -> dict[str, Any]:
    """Docker's JSON of a volume; nothing given is null, and of what only a plugin knows the age is left out."""
    age = {"CreatedAt": rfc3339nano(record.created_ns // 10**9 * 10**9)} if record.created_ns else {}
    return {
        **age,
        "Driver": record.driver,
        "Labels": labels(record, version) or None,
        "Mountpoint": record.mountpoint,
        "Name": record.name,
        "Options": record.options or None,
        "Scope": record.scope,
    }


def routes(backend: Backend) -> list[web.RouteDef]:
    """The table."""

    async def list_(request: web.Request) -> web.Response:
        given = params.filters(request, allowed=LIST_FILTERS)
        volumes, warnings = await backend.everything()
        version = request["version"]
        shown = [inspect(one, version) for one in volumes if _listed(backend, one, given, version)]
        return reply({"Volumes": shown, "Warnings": list(warnings) or None})

    async def inspect_(request: web.Request) -> web.Response:
        record, found = await backend.inspect(request.match_info["name"])
        shown = inspect(record, request["version"])
        if found.created:
            shown["CreatedAt"] = found.created
        return reply(shown | ({"Status": dict(found.status)} if found.status else {}))

    async def create(request: web.Request) -> web.Response:
        body = await params.json_body(request)
        record = await backend.create(
            str(body.get("Name") or ""),
            driver=str(body.get("Driver") or ""),
            options=_strings(body, "DriverOpts"),
            labels=_strings(body, "Labels"),
        )
        return reply(inspect(record, request["version"]), status=201)

    async def remove(request: web.Request) -> web.Response:
        await backend.remove(request.match_info["name"], force=params.flag(request, "force"))
        return empty()

    async def prune(request: web.Request) -> web.Response:
        recent = request["version"] >= ANONYMOUS_ONLY_SINCE
        given = params.filters(request, allowed=PRUNE_FILTERS | ({"all"} if recent else frozenset()))
        everything = not recent or _all(given.pop("all", []))
        matches = matcher(given)
        removed, freed = await backend.prune(
            lambda one: (everything or one.anonymous) and matches(one.labels, one.created_ns)
        )
        return reply({"VolumesDeleted": list(removed), "SpaceReclaimed": freed})

    return [
        web.get(PATH, list_),
        web.post(f"{PATH}/create", create),
        web.post(f"{PATH}/prune", prune),
        web.get(f"{PATH}/{{name}}", inspect_),
        web.delete(f"{PATH}/{{name}}", remove),
    ]


def _strings(body: Mapping[str, Any], key: str) -> dict[str, str]:
    given = body.get(key) or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Invalid(f"{key} must be an object of strings")
    return given


def _all(values: Sequence[str]) -> bool:
    for value in values:
        if value not in TRUE | FALSE:
            raise Invalid(f"invalid filter 'all={list(values)}'")
    return bool(TRUE & set(values))


def _listed(backend: Backend, record: VolumeRecord, given: params.Filters, version: tuple[int, int]) -> bool:
    """Keys must all match; of one key's values any, except labels, which must all."""
    own = labels(record, version)
    if not ({f"{key}={value}" for key, value in own.items()} | set(own)).issuperset(given.get("label") or []):
        return False
    for key, fits in (("driver", record.driver.__eq__), ("name", lambda value: _part(value, record.name))):
        values = given.get(key) or []
        if values and not any(fits(value) for value in values):
            return False
    dangling = given.get("dangling") or []
    if not dangling:
        return True
    if len(dangling) > 1 or not set(dangling) <= TRUE | FALSE:
        raise Invalid(f"Invalid filter 'dangling=[{' '.join(dangling)}]'")
    return (dangling[0] in TRUE) == (not backend.users(record.name))


def _part(pattern: str, text: str) -> bool:
    try:
        return pattern in text or re.search(pattern, text) is not None
    except re.error:
        return False
