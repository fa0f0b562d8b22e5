"""Image configurations: made, checked, written. Pure.

Source: OCI image spec ``config.md``; moby ``image/image.go`` for the keys that Docker adds.
"""

import json
import platform
from typing import Any

from agent.engine import shapes
from agent.engine.errors import Invalid
from agent.engine.state.times import rfc3339nano
from agent.engine.storage.content import DIGEST

Json = dict[str, Any]
MAX_LAYERS = 127
_DEPTH_MAX = 100
EMPTY_CONTAINER_CONFIG: Json = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
    "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": None, "Image": "", "Volumes": None,
    "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": None,
}  # fmt: skip
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def architecture() -> str:
    """This host's, in Go's words."""
    machine = platform.machine()
    return _MACHINES.get(machine, machine)


def parse_document(data: bytes, noun: str) -> Json:
    """A JSON object from outside.

    Raises:
        Invalid: no JSON, no object, or nested beyond all need.
    """
    try:
        value = shapes.loads(data)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"invalid {noun}: {error}") from None
    if not isinstance(value, dict):
        raise Invalid(f"invalid {noun}: not an object")
    return value


def parse_config(data: bytes) -> tuple[Json, list[str]]:
    """An image's configuration and its layers' diff ids.

    Raises:
        Invalid: no image configuration of a kind that can run here.
    """
    config = parse_document(data, "image configuration")
    rootfs = config.get("rootfs")
    if not isinstance(rootfs, dict) or rootfs.get("type") != "layers":
        raise Invalid("invalid image configuration: rootfs is missing; this is not a container image")
    diff_ids = rootfs.get("diff_ids") or []
    if not isinstance(diff_ids, list) or not all(isinstance(item, str) and DIGEST.fullmatch(item) for item in diff_ids):
        raise Invalid("invalid image configuration: diff_ids are not digests")
    if len(diff_ids) > MAX_LAYERS:
        raise Invalid(f"max depth exceeded: the image has {len(diff_ids)} layers, at most {MAX_LAYERS} can be mounted")
    if words := shapes.wrong(config, shapes.IMAGE):
        raise Invalid(f"invalid image configuration: {words}")
    return config, diff_ids


def encode(config: Json) -> bytes:
    """The document's bytes; their digest is the image's id."""
    return json.dumps(config, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def derive(
    parent: Json | None,
    *,
    config: Json,
    created_ns: int,
    diff_id: str = "",
    created_by: str = "",
    comment: str = "",
    author: str = "",
    container: str = "",
    container_config: Json | None = None,
) -> Json:
    """The configuration of an image on top of another, or of none.

    Args:
        parent: the configuration below.
        config: what containers will take from it (Docker's container config).
        diff_id: of the layer on top; empty for a step that changed no file.
    """
    created = rfc3339nano(created_ns)
    base = parent or {}
    history = [*(base.get("history") or [])]
    entry: Json = {"created": created}
    if created_by:
        entry["created_by"] = created_by
    if author:
        entry["author"] = author
    if comment:
        entry["comment"] = comment
    if not diff_id:
        entry["empty_layer"] = True
    below = (base.get("rootfs") or {}).get("diff_ids") or []
    made: Json = {
        "architecture": base.get("architecture") or architecture(),
        "config": config,
        "container_config": container_config or EMPTY_CONTAINER_CONFIG,
        "created": created,
        "history": [*history, entry],
        "os": base.get("os") or "linux",
        "rootfs": {"type": "layers", "diff_ids": [*below, diff_id] if diff_id else [*below]},
    }
    if base.get("variant"):
        made["variant"] = base["variant"]
    if author:
        made["author"] = author
    if comment:
        made["comment"] = comment
    if container:
        made["container"] = container
    return made
