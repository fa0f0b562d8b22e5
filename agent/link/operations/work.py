"""What an operation is given, and how it finds the object it concerns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from agent.link.docker import Engine, EngineError
from agent.protocol.orders import ID_LABEL, ORDER_LABEL


class OutcomeUnknown(Exception):
    """The order may or may not have had its effect; it is never tried again."""


class Progress(Protocol):
    """Takes what an engine says while it works."""

    def __call__(self, *, step: str = "", text: str = "", data: Mapping[str, Any] | None = None) -> None: ...


class Blobs(Protocol):
    """Fetches an uploaded archive of the control plane to a file whose digest was checked."""

    async def __call__(self, digest: str) -> Path: ...


@dataclass
class Work:
    """One order being carried out. `begun_at` is the intent's time in nanoseconds."""

    order_id: str
    op: str
    args: Mapping[str, Any]
    begun_at: int
    engine: Engine
    progress: Progress
    blobs: Blobs
    refresh: Callable[[], None]
    grants: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """An arg as text, empty when it is absent."""
        return str(self.args.get(name) or "")

    def labels(self, given: Mapping[str, Any] | None) -> dict[str, str]:
        """The user's labels and the two by which the effect is found again."""
        own = {ORDER_LABEL: self.order_id}
        if self.args.get("id"):
            own[ID_LABEL] = self.text("id")
        return {**{str(name): str(value) for name, value in (given or {}).items()}, **own}


async def container_id(work: Work, ref: Mapping[str, Any] | None = None) -> str:
    """The engine's id of the order's container: by engine id, else by the label.

    Raises:
        EngineError: 404, there is none.
    """
    args = work.args if ref is None else ref
    if engine_id := str(args.get("engine_id") or ""):
        return segment(engine_id)
    found = await work.engine.call(
        "GET", "/containers/json", query={"all": 1, "filters": by_label(ID_LABEL, str(args.get("id")))}
    )
    if not found:
        raise EngineError(404, f"No such container: {args.get('id')}")
    return str(found[0]["Id"])


async def inspect_container(work: Work, ref: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The container as it is now, None when there is none."""
    try:
        return await optional(work, f"/containers/{await container_id(work, ref)}/json")
    except EngineError as error:
        if error.status == 404:
            return None
        raise


async def optional(work: Work, path: str) -> dict[str, Any] | None:
    """A GET whose 404 is None."""
    try:
        answer = await work.engine.call("GET", path)
    except EngineError as error:
        if error.status == 404:
            return None
        raise
    return answer if isinstance(answer, dict) else None


def segment(name: str) -> str:
    """A name of the order as part of an URL's path: it must not lead to another route.

    Raises:
        EngineError: 400, no such object can exist.
    """
    if not name or any(part in {"", ".", ".."} for part in name.split("/")):
        raise EngineError(400, f"invalid name {name!r}")
    return quote(name, safe="/:@+")


def by_label(name: str, value: str) -> str:
    """Docker's `filters` for one label."""
    return json.dumps({"label": [f"{name}={value}"]})


def filters_of(work: Work) -> dict[str, str]:
    """The query of a prune."""
    filters = work.args.get("filters")
    return {"filters": json.dumps(filters)} if filters else {}


def nanoseconds(time: str) -> int:
    """Docker's RFC 3339 time as nanoseconds, 0 for none."""
    if not time or time.startswith("0001-"):
        return 0
    seconds, _, rest = time.partition(".")
    digits = "".join(char for char in rest if char.isdigit()) if rest.endswith("Z") else ""
    if rest and not rest.endswith("Z"):
        digits, zone = rest[:-6], rest[-6:]
        seconds += zone
    else:
        seconds = seconds.removesuffix("Z") + "+00:00"
    whole = int(datetime.fromisoformat(seconds).astimezone(UTC).timestamp())
    return whole * 1_000_000_000 + int((digits + "000000000")[:9])
