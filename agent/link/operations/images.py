"""Orders for images: pull, push, tag, build, commit, remove."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

from agent.link.docker import EngineError, error_text
from agent.link.operations.work import Work, by_label, container_id, filters_of, optional, segment
from agent.protocol.orders import ORDER_LABEL

Result = dict[str, Any]

_CHUNK: Final = 256 * 1024


async def pull(work: Work) -> Result:
    """Fetch an image from its registry."""
    reference = work.text("reference")
    await fetch(work, reference)
    return await _identity(work, reference)


async def fetch(work: Work, reference: str) -> None:
    """Pull with progress.

    Raises:
        EngineError: also for a failure that the engine tells inside its stream.
    """
    name, tag = split_reference(reference)
    query = {"fromImage": name, "tag": tag}
    if work.text("platform"):
        query["platform"] = work.text("platform")
    await _stream(work, "POST", "/images/create", query=query, headers=_auth(work))


async def push(work: Work) -> Result:
    """Send an image to its registry."""
    name, tag = split_reference(work.text("reference"))
    headers = _auth(work) or {"X-Registry-Auth": _encoded({})}
    last = await _stream(work, "POST", f"/images/{segment(name)}/push", query={"tag": tag}, headers=headers)
    return {"reference": work.text("reference"), "digest": str((last.get("aux") or {}).get("Digest") or "")}


async def tag(work: Work) -> Result:
    """Give an image one more name."""
    name, tag = split_reference(work.text("reference"))
    await work.engine.call("POST", f"/images/{segment(work.text('image'))}/tag", query={"repo": name, "tag": tag})
    return {"reference": work.text("reference")}


async def build(work: Work) -> Result:
    """Build from an uploaded context."""
    context = await work.blobs(work.text("context"))
    query = {key: _query_value(value) for key, value in (work.args.get("query") or {}).items()}
    labels = (work.args.get("query") or {}).get("labels") or {}
    query["labels"] = json.dumps(work.labels(json.loads(labels) if isinstance(labels, str) else labels))
    tags = [str(tag) for tag in work.args.get("tags") or ()]
    headers = {"Content-Type": "application/x-tar"}
    if registry := work.grants.get("registry_auth"):
        headers["X-Registry-Config"] = _encoded({str(registry.get("serveraddress") or ""): registry})
    try:
        last = await _stream(
            work, "POST", "/build", query={**query, "t": tags, "forcerm": 1}, headers=headers, body=_file(context)
        )
    finally:
        # another try fetches it anew
        context.unlink(missing_ok=True)
    image = str((last.get("aux") or {}).get("ID") or "")
    return {"image_id": image or (await _labelled(work) or {}).get("image_id", ""), "tags": tags}


async def commit(work: Work) -> Result:
    """Make an image of a container."""
    name, tag = split_reference(work.text("reference"))
    changes = [*(work.args.get("changes") or ()), f"LABEL {ORDER_LABEL}={work.order_id}"]
    query = {
        "container": await container_id(work),
        "repo": name,
        "tag": tag,
        "author": work.text("author"),
        "comment": work.text("comment"),
        "pause": int(work.args.get("pause", True) is not False),
        "changes": "\n".join(str(change) for change in changes),
    }
    made = await work.engine.call("POST", "/commit", query=query, body={}, seconds=1800)
    return {"image_id": made["Id"], "tags": [work.text("reference")]}


async def was_made(work: Work) -> Result | None:
    """By the order's label in the image's configuration."""
    return await _labelled(work)


async def remove(work: Work) -> Result:
    """Remove a reference, or the image with its last one."""
    answer = await work.engine.call(
        "DELETE",
        f"/images/{segment(work.text('image'))}",
        query={"force": int(bool(work.args.get("force")))},
        seconds=600,
    )
    return {"removed": answer or []}


async def is_removed(work: Work) -> Result | None:
    """Gone."""
    return {"removed": []} if await optional(work, f"/images/{segment(work.text('image'))}/json") is None else None


async def prune(work: Work) -> Result:
    """Remove what nothing uses."""
    answer = await work.engine.call("POST", "/images/prune", query=filters_of(work), seconds=1800)
    return {"deleted": answer.get("ImagesDeleted") or [], "reclaimed": answer.get("SpaceReclaimed") or 0}


def split_reference(reference: str) -> tuple[str, str]:
    """`name` and `tag or digest`; without either the tag is latest, since Docker would take all of them."""
    if "@" in reference:
        name, digest = reference.split("@", 1)
        head, _, last = name.rpartition("/")
        return (f"{head}/" if head else "") + last.split(":")[0], digest
    head, _, last = reference.rpartition("/")
    name, colon, tag = last.partition(":")
    return (f"{head}/{name}" if head else name), tag if colon else "latest"


async def _identity(work: Work, reference: str) -> Result:
    image = await optional(work, f"/images/{segment(reference)}/json") or {}
    return {"image_id": image.get("Id", ""), "reference": reference, "digests": image.get("RepoDigests") or []}


async def _labelled(work: Work) -> Result | None:
    found = await work.engine.call("GET", "/images/json", query={"filters": by_label(ORDER_LABEL, work.order_id)})
    return {"image_id": found[0]["Id"], "tags": found[0].get("RepoTags") or []} if found else None


async def _stream(
    work: Work,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any],
    headers: Mapping[str, str],
    body: AsyncIterator[bytes] | None = None,
) -> dict[str, Any]:
    """Run a call that tells its progress; the last object that carried `aux`."""
    exchange = await work.engine.open(method, path, query=query, headers=headers, body=body)
    last: dict[str, Any] = {}
    try:
        if exchange.status >= 400:
            raise EngineError(exchange.status, error_text(await exchange.body()))
        async for line in work.engine.lines(exchange):
            if "error" in line or "errorDetail" in line:
                detail = line.get("errorDetail") or {}
                message = str(detail.get("message") or line.get("error"))
                work.progress(text=message)
                raise EngineError(_status_of(message), message)
            if line.get("aux"):
                last = line
            text = str(line.get("stream") or line.get("status") or "")
            if text.strip() or line.get("progressDetail"):
                work.progress(step=str(line.get("id") or ""), text=text.rstrip("\n"), data=line)
    finally:
        exchange.close()
    return last


def _status_of(message: str) -> int:
    lowered = message.lower()
    if "not found" in lowered or "manifest unknown" in lowered:
        return 404
    return 507 if "no space left" in lowered else 502


def _auth(work: Work) -> dict[str, str]:
    registry = work.grants.get("registry_auth")
    return {"X-Registry-Auth": _encoded(registry)} if registry else {}


def _encoded(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _query_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return json.dumps(value) if isinstance(value, dict | list) else value


async def _file(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
    finally:
        file.close()
