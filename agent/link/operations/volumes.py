"""Orders for volumes."""

from __future__ import annotations

from typing import Any

from agent.link.docker import EngineError
from agent.link.operations.work import Work, filters_of, optional, segment
from agent.protocol.orders import ORDER_LABEL

Result = dict[str, Any]


async def create(work: Work) -> Result:
    """Make a volume.

    Raises:
        EngineError: 409 for a name that is taken, where Docker itself would answer with the other one's volume.
    """
    name = work.text("name")
    there = await optional(work, f"/volumes/{segment(name)}")
    if there is not None and not _ours(work, there):
        raise EngineError(409, f"a volume named {name} already exists")
    body = {
        "Name": name,
        "Driver": work.text("driver") or "local",
        "DriverOpts": work.args.get("driver_opts") or {},
        "Labels": work.labels(work.args.get("labels")),
    }
    made = await work.engine.call("POST", "/volumes/create", body=body)
    return {"name": made["Name"], "mountpoint": made.get("Mountpoint", "")}


async def was_created(work: Work) -> Result | None:
    """By name and the order's label."""
    there = await optional(work, f"/volumes/{segment(work.text('name'))}")
    if there is None or not _ours(work, there):
        return None
    return {"name": there["Name"], "mountpoint": there.get("Mountpoint", "")}


def _ours(work: Work, volume: dict[str, Any]) -> bool:
    return (volume.get("Labels") or {}).get(ORDER_LABEL) == work.order_id


async def remove(work: Work) -> Result:
    """Remove a volume and what it holds."""
    name = work.text("name")
    await work.engine.call("DELETE", f"/volumes/{segment(name)}", query={"force": int(bool(work.args.get("force")))})
    return {"name": name}


async def is_removed(work: Work) -> Result | None:
    """Gone."""
    name = work.text("name")
    return {"name": name} if await optional(work, f"/volumes/{segment(name)}") is None else None


async def prune(work: Work) -> Result:
    """Remove what no container uses."""
    answer = await work.engine.call("POST", "/volumes/prune", query=filters_of(work), seconds=600)
    return {"deleted": answer.get("VolumesDeleted") or [], "reclaimed": answer.get("SpaceReclaimed") or 0}
