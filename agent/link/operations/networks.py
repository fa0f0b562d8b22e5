"""Orders for networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.link.docker import EngineError
from agent.link.operations.work import Work, by_label, container_id, filters_of, inspect_container, optional, segment
from agent.protocol.orders import ID_LABEL, ORDER_LABEL

Result = dict[str, Any]


async def create(work: Work) -> Result:
    """Make a network; a name may be there only once."""
    body = dict(work.args.get("network") or {})
    body |= {"Name": work.text("name"), "CheckDuplicate": True, "Labels": work.labels(body.get("Labels"))}
    made = await work.engine.call("POST", "/networks/create", body=body)
    return {"engine_id": made["Id"], "name": work.text("name")}


async def was_created(work: Work) -> Result | None:
    """By the order's label."""
    found = await work.engine.call("GET", "/networks", query={"filters": by_label(ORDER_LABEL, work.order_id)})
    return {"engine_id": found[0]["Id"], "name": found[0]["Name"]} if found else None


async def remove(work: Work) -> Result:
    """Remove a network that nobody uses."""
    engine_id = await _network(work, work.args)
    await work.engine.call("DELETE", f"/networks/{engine_id}")
    return {"engine_id": engine_id}


async def is_removed(work: Work) -> Result | None:
    """Gone."""
    try:
        engine_id = await _network(work, work.args)
    except EngineError as error:
        if error.status == 404:
            return {"engine_id": work.text("engine_id")}
        raise
    return {"engine_id": engine_id} if await optional(work, f"/networks/{engine_id}") is None else None


async def connect(work: Work) -> Result:
    """Join a container to a network."""
    engine_id = await _network(work, work.args["network"])
    body = {
        "Container": await container_id(work, work.args["container"]),
        "EndpointConfig": work.args.get("config") or {},
    }
    await work.engine.call("POST", f"/networks/{engine_id}/connect", body=body)
    return {"engine_id": engine_id}


async def is_connected(work: Work) -> Result | None:
    """The container has an endpoint on it."""
    engine_id = await _network(work, work.args["network"])
    return {"engine_id": engine_id} if await _joined(work, engine_id) else None


async def disconnect(work: Work) -> Result:
    """Take a container off a network."""
    engine_id = await _network(work, work.args["network"])
    body = {"Container": await container_id(work, work.args["container"]), "Force": bool(work.args.get("force"))}
    await work.engine.call("POST", f"/networks/{engine_id}/disconnect", body=body)
    return {"engine_id": engine_id}


async def is_disconnected(work: Work) -> Result | None:
    """The container has no endpoint on it."""
    engine_id = await _network(work, work.args["network"])
    return None if await _joined(work, engine_id) else {"engine_id": engine_id}


async def prune(work: Work) -> Result:
    """Remove what no container uses."""
    answer = await work.engine.call("POST", "/networks/prune", query=filters_of(work), seconds=600)
    return {"deleted": answer.get("NetworksDeleted") or [], "reclaimed": 0}


async def _network(work: Work, ref: Mapping[str, Any]) -> str:
    """The engine's id: as given, else by the label, else by name."""
    if ref.get("engine_id"):
        return segment(str(ref["engine_id"]))
    if ref.get("id"):
        found = await work.engine.call("GET", "/networks", query={"filters": by_label(ID_LABEL, str(ref["id"]))})
        if found:
            return str(found[0]["Id"])
    if ref.get("name"):
        return segment(str(ref["name"]))
    raise EngineError(404, f"network {ref.get('id')} not found")


async def _joined(work: Work, engine_id: str) -> bool:
    container = await inspect_container(work, work.args["container"]) or {}
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return any(
        name == engine_id or (endpoint or {}).get("NetworkID") == engine_id for name, endpoint in networks.items()
    )
