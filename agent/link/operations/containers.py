"""Orders for containers."""

from __future__ import annotations

import re
from typing import Any, Final

from agent.link.operations import images
from agent.link.operations.work import (
    Work,
    by_label,
    container_id,
    filters_of,
    inspect_container,
    nanoseconds,
    optional,
    segment,
)
from agent.protocol.orders import ORDER_LABEL

Result = dict[str, Any]

_STOP_SECONDS: Final = 10
_LONGEST_STOP: Final = 3600.0
# how much longer than its own grace a stop may take before the engine counts as silent
_PATIENCE: Final = 60.0


async def create(work: Work) -> Result:
    """Make sure of the image, create, and start if the order says so."""
    image = work.text("image")
    when = work.text("pull") or "missing"
    if when == "always" or (when == "missing" and await optional(work, f"/images/{segment(image)}/json") is None):
        await images.fetch(work, image)
    spec = dict(work.args.get("spec") or {})
    spec["Image"] = image
    spec["Labels"] = work.labels(spec.get("Labels"))
    query = {"name": work.text("name") or name_from(image, work.order_id)}
    if work.text("platform"):
        query["platform"] = work.text("platform")
    made = await work.engine.call("POST", "/containers/create", query=query, body=spec)
    if work.args.get("start"):
        await _start(work, str(made["Id"]))
    return {"engine_id": made["Id"], "name": query["name"], "warnings": made.get("Warnings") or []}


async def was_created(work: Work) -> Result | None:
    """By the order's label. One that was made and not yet started is started now."""
    found = await work.engine.call(
        "GET", "/containers/json", query={"all": 1, "filters": by_label(ORDER_LABEL, work.order_id)}
    )
    if not found:
        return None
    state = await work.engine.call("GET", f"/containers/{found[0]['Id']}/json")
    if work.args.get("start") and state["State"]["Status"] == "created":
        await _start(work, str(state["Id"]))
    return {"engine_id": state["Id"], "name": state["Name"].lstrip("/"), "warnings": []}


def name_from(image: str, order_id: str) -> str:
    """A name for a container whose user gave none; the same at every try, so that a second try is a conflict."""
    last = images.split_reference(image)[0].rpartition("/")[2]
    base = re.sub(r"[^a-zA-Z0-9_.-]", "", last).strip("_.-")
    return f"{base or 'container'}-{order_id.replace('-', '')[-8:]}"


async def _start(work: Work, engine_id: str) -> None:
    await work.engine.call("POST", f"/containers/{engine_id}/start", seconds=_PATIENCE)


async def start(work: Work) -> Result:
    """Start; one that runs already is left as it is."""
    engine_id = await container_id(work)
    await _start(work, engine_id)
    return {"engine_id": engine_id}


async def was_started(work: Work) -> Result | None:
    """Running, or started since the intent: a short-lived program may have ended again."""
    now = await inspect_container(work)
    if now is None:
        return None
    running = now["State"]["Running"] and not now["State"].get("Restarting")
    return _same(now) if running or _started_since(work, now) else None


def _started_since(work: Work, now: dict[str, Any]) -> bool:
    return nanoseconds(now["State"]["StartedAt"]) > work.begun_at


def _same(now: dict[str, Any]) -> Result:
    return {"engine_id": now["Id"]}


async def stop(work: Work) -> Result:
    """Stop within the time-out; one that is stopped is left as it is."""
    engine_id = await container_id(work)
    await work.engine.call("POST", f"/containers/{engine_id}/stop", query=_stopping(work), seconds=_grace(work))
    return {"engine_id": engine_id}


async def is_stopped(work: Work) -> Result | None:
    """No longer running."""
    now = await inspect_container(work)
    return _same(now) if now is not None and not now["State"]["Running"] else None


async def restart(work: Work) -> Result:
    """Stop within the time-out, then start."""
    engine_id = await container_id(work)
    await work.engine.call("POST", f"/containers/{engine_id}/restart", query=_stopping(work), seconds=_grace(work))
    return {"engine_id": engine_id}


async def was_restarted(work: Work) -> Result | None:
    """Started since the intent."""
    now = await inspect_container(work)
    return _same(now) if now is not None and _started_since(work, now) else None


async def kill(work: Work) -> Result:
    """Send a signal."""
    engine_id = await container_id(work)
    query = {"signal": work.text("signal")} if work.text("signal") else None
    await work.engine.call("POST", f"/containers/{engine_id}/kill", query=query)
    return {"engine_id": engine_id}


async def pause(work: Work) -> Result:
    """Freeze."""
    engine_id = await container_id(work)
    await work.engine.call("POST", f"/containers/{engine_id}/pause")
    return {"engine_id": engine_id}


async def is_paused(work: Work) -> Result | None:
    """Paused."""
    now = await inspect_container(work)
    return _same(now) if now is not None and now["State"]["Paused"] else None


async def unpause(work: Work) -> Result:
    """Thaw."""
    engine_id = await container_id(work)
    await work.engine.call("POST", f"/containers/{engine_id}/unpause")
    return {"engine_id": engine_id}


async def is_unpaused(work: Work) -> Result | None:
    """Running and not paused."""
    now = await inspect_container(work)
    return _same(now) if now is not None and now["State"]["Running"] and not now["State"]["Paused"] else None


async def rename(work: Work) -> Result:
    """Give another name."""
    engine_id = await container_id(work)
    await work.engine.call("POST", f"/containers/{engine_id}/rename", query={"name": work.text("name")})
    return {"engine_id": engine_id, "name": work.text("name")}


async def is_renamed(work: Work) -> Result | None:
    """Has the name."""
    now = await inspect_container(work)
    wanted = work.text("name")
    return {**_same(now), "name": wanted} if now is not None and now["Name"].lstrip("/") == wanted else None


async def update(work: Work) -> Result:
    """Change limits or the restart policy in place."""
    engine_id = await container_id(work)
    answer = await work.engine.call("POST", f"/containers/{engine_id}/update", body=work.args["update"])
    return {"engine_id": engine_id, "warnings": (answer or {}).get("Warnings") or []}


async def remove(work: Work) -> Result:
    """Remove the container, its anonymous volumes if asked."""
    engine_id = await container_id(work)
    query = {"force": int(bool(work.args.get("force"))), "v": int(bool(work.args.get("volumes")))}
    await work.engine.call("DELETE", f"/containers/{engine_id}", query=query, seconds=_PATIENCE * 2)
    return {"engine_id": engine_id}


async def is_removed(work: Work) -> Result | None:
    """Gone."""
    return {"engine_id": work.text("engine_id")} if await inspect_container(work) is None else None


async def prune(work: Work) -> Result:
    """Remove what does not run."""
    answer = await work.engine.call("POST", "/containers/prune", query=filters_of(work), seconds=600)
    return {"deleted": answer.get("ContainersDeleted") or [], "reclaimed": answer.get("SpaceReclaimed") or 0}


async def stop_seconds(work: Work) -> float:
    """How long a stop of this container may take: the order's time-out, else the container's own, else the engine's."""
    timeout = work.args.get("timeout")
    if timeout is None:
        now = await inspect_container(work) or {}
        timeout = (now.get("Config") or {}).get("StopTimeout")
    if timeout is None:
        return float(_STOP_SECONDS)
    # a negative one waits for ever
    return _LONGEST_STOP if int(timeout) < 0 else min(float(timeout), _LONGEST_STOP)


def _stopping(work: Work) -> dict[str, Any]:
    query: dict[str, Any] = {}
    if work.args.get("timeout") is not None:
        query["t"] = int(work.args["timeout"])
    if work.text("signal"):
        query["signal"] = work.text("signal")
    return query


def _grace(work: Work) -> float:
    timeout = work.args.get("timeout")
    # without a time-out of its own the container's stop time-out counts, which may be an hour
    if timeout is None or int(timeout) < 0:
        return _LONGEST_STOP + _PATIENCE
    return int(timeout) + _STOP_SECONDS + _PATIENCE
