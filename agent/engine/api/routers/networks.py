"""``/networks``: Docker Engine API NetworkList, NetworkInspect, NetworkCreate, NetworkConnect, …"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from agent.engine import shapes
from agent.engine.api import params, versions
from agent.engine.api.answers import empty, reply
from agent.engine.api.pruning import matcher
from agent.engine.errors import Invalid, NotFound, System
from agent.engine.networks import views
from agent.engine.networks.options import BOOLEANS
from agent.engine.state.records import NetworkRecord

LIST_FILTERS = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})
PRUNE_FILTERS = frozenset({"label", "label!", "until"})
DANGLING = {"true": True, "1": True, "false": False, "0": False}
PATH = "/networks"
ENABLE_IPV4_SINCE = (1, 47)


class Backend(Protocol):
    """What the router needs of ``NetworkService``."""

    def find(self, ref: str) -> NetworkRecord: ...
    def list(self) -> Sequence[NetworkRecord]: ...
    def in_use(self, network_id: str) -> bool: ...
    def inspect(self, record: NetworkRecord) -> dict[str, Any]: ...
    async def create(self, request: Mapping[str, object]) -> NetworkRecord: ...
    async def remove(self, ref: str) -> NetworkRecord: ...
    async def prune(self, matches: Any) -> Sequence[str]: ...
    async def connect(self, network_ref: str, container_ref: str, config: dict[str, Any] | None) -> None: ...
    async def disconnect(self, network_ref: str, container_ref: str, *, force: bool = False) -> None: ...


def routes(backend: Backend) -> list[web.RouteDef]:
    """The table."""

    async def list_(request: web.Request) -> web.Response:
        given = params.filters(request, allowed=LIST_FILTERS)
        found = [views.inspect(one) for one in backend.list() if _listed(backend, one, given)]
        return reply([_of_version(one, request) for one in found])

    async def inspect(request: web.Request) -> web.Response:
        ref = request.match_info["id"]
        record = backend.find(ref)
        _verbose(request.query.get("verbose", ""))
        scope = request.query.get("scope", "")
        if scope and scope != record.scope:
            raise NotFound(f"network {ref} not found")
        return reply(_of_version(backend.inspect(record), request))

    async def create(request: web.Request) -> web.Response:
        body = await params.json_body(request, shapes.NETWORK, strict=True)
        try:
            record = await backend.create(body)
        except Invalid as error:
            # Docker 20.10 took its drivers' refusals for its own failures.
            raise System(str(error)) if request["version"] <= versions.LAST_LENIENT else error from None
        return reply({"Id": record.id, "Warning": ""}, status=201)

    async def connect(request: web.Request) -> web.Response:
        body = await params.json_body(request, strict=True)
        config = body.get("EndpointConfig")
        if config is not None and not isinstance(config, dict):
            raise Invalid("EndpointConfig must be an object")
        await backend.connect(request.match_info["id"], str(body.get("Container") or ""), config)
        return empty(200)

    async def disconnect(request: web.Request) -> web.Response:
        body = await params.json_body(request, strict=True)
        ref = str(body.get("Container") or "")
        await backend.disconnect(request.match_info["id"], ref, force=bool(body.get("Force")))
        return empty(200)

    async def remove(request: web.Request) -> web.Response:
        await backend.remove(request.match_info["id"])
        return empty()

    async def prune(request: web.Request) -> web.Response:
        given = params.filters(request, allowed=PRUNE_FILTERS)
        matches = matcher(given)
        removed = await backend.prune(lambda one: matches(one.labels, one.created_ns))
        return reply({"NetworksDeleted": list(removed) or None})

    return [
        web.get(PATH, list_),
        web.get(f"{PATH}/", list_),
        web.post(f"{PATH}/create", create),
        web.post(f"{PATH}/prune", prune),
        web.get(f"{PATH}/{{id}}", inspect),
        web.post(f"{PATH}/{{id}}/connect", connect),
        web.post(f"{PATH}/{{id}}/disconnect", disconnect),
        web.delete(f"{PATH}/{{id}}", remove),
    ]


def _listed(backend: Backend, record: NetworkRecord, given: params.Filters) -> bool:
    """Keys must all match; of one key's values any, except labels, which must all."""
    labels = {f"{key}={value}" for key, value in record.labels.items()} | set(record.labels)
    if not labels.issuperset(given.get("label") or []):
        return False
    unused = not record.predefined and not backend.in_use(record.id)
    checks: dict[str, Callable[[str], bool]] = {
        "driver": record.driver.__eq__,
        "id": lambda value: _fits(value, record.id),
        "name": lambda value: _fits(value, record.name),
        "scope": record.scope.__eq__,
        "type": lambda value: record.predefined == _builtin(value),
        "dangling": lambda value: _boolean(value) == unused,
    }
    return all(any(check(value) for value in given[key]) for key, check in checks.items() if given.get(key))


def _of_version(found: dict[str, Any], request: web.Request) -> dict[str, Any]:
    dropped = {"EnableIPv4"} if request["version"] < ENABLE_IPV4_SINCE else set()
    return {key: value for key, value in found.items() if key not in dropped}


def _fits(pattern: str, text: str) -> bool:
    """dockerd takes the value for a regular expression, and for a plain part of the text."""
    try:
        return pattern in text or re.search(pattern, text) is not None
    except re.error:
        return False


def _verbose(value: str) -> None:
    if value and value not in BOOLEANS:
        raise Invalid(f'invalid value for verbose: {value}: strconv.ParseBool: parsing "{value}": invalid syntax')


def _builtin(value: str) -> bool:
    if value not in ("builtin", "custom"):
        raise System(f"invalid filter: 'type'='{value}'")
    return value == "builtin"


def _boolean(value: str) -> bool:
    if value not in DANGLING:
        raise Invalid('invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")')
    return DANGLING[value]
