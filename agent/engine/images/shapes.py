"""Images as Docker's JSON: list, inspect, history. Pure.

Source: moby ``daemon/images/{images,image_inspect,image_history}.go`` of 20.10, and the API's version history.
"""

import calendar
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agent.engine.images.store import Image
from agent.engine.state.times import rfc3339nano

Json = dict[str, Any]
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


def unix_seconds(text: str) -> int:
    """An RFC 3339 time as seconds; an unreadable or missing one is Go's year one."""
    match = _TIME.fullmatch(text)
    if not match:
        return -62135596800
    seconds = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))
    if match[2] != "Z":
        sign = -1 if match[2][0] == "+" else 1
        seconds += sign * (int(match[2][1:3]) * 3600 + int(match[2][4:6]) * 60)
    return seconds


def listed(image: Image, *, version: tuple[int, int], shared: int = -1, containers: int = -1) -> Json:
    """One row of ``GET /images/json``."""
    row: Json = {
        "Containers": containers,
        "Created": unix_seconds(image.created),
        "Id": image.id,
        "Labels": image.defaults.get("Labels"),
        "ParentId": image.parent,
        "RepoDigests": image.repo_digests or None,
        "RepoTags": image.repo_tags or None,
        "SharedSize": shared,
        "Size": image.size,
    }
    if version >= (1, 43):
        row["RepoDigests"], row["RepoTags"] = image.repo_digests, image.repo_tags
    elif not image.repo_tags and not image.repo_digests:
        row["RepoDigests"], row["RepoTags"] = ["<none>@<none>"], ["<none>:<none>"]
    if version < (1, 44):
        row["VirtualSize"] = image.size
    return row


def inspected(
    image: Image, *, version: tuple[int, int], driver: str, folders: Sequence[str], container_config: Json
) -> Json:
    """``GET /images/NAME/json``.

    Args:
        driver: the storage driver; vfs says nothing of where layers are.
        folders: the layers' folders, topmost first.
        container_config: what stands where the configuration has none.
    """
    config = image.config
    data = {
        "MergedDir": folders[0].rpartition("/")[0] + "/merged" if folders else "",
        "UpperDir": folders[0] if folders else "",
        "WorkDir": folders[0].rpartition("/")[0] + "/work" if folders else "",
    }
    if len(folders) > 1:
        data["LowerDir"] = ":".join(folders[1:])
    shape: Json = {
        "Id": image.id,
        "RepoTags": image.repo_tags,
        "RepoDigests": image.repo_digests,
        "Parent": image.parent,
        "Comment": _comment(config),
        "Created": image.created,
        "DockerVersion": config.get("docker_version") or "",
        "Author": config.get("author") or "",
        "Config": {**container_config, **image.defaults},
        "Architecture": config.get("architecture") or "",
        "Os": config.get("os") or "",
        "Size": image.size,
        "GraphDriver": {"Data": data if driver != "vfs" else None, "Name": driver},
        "RootFS": {"Type": "layers", "Layers": (config.get("rootfs") or {}).get("diff_ids") or None},
        "Metadata": {"LastTagTime": rfc3339nano(image.tagged_ns)},
    }
    if shape["RootFS"]["Layers"] is None:
        del shape["RootFS"]["Layers"]
    if config.get("variant"):
        shape["Variant"] = config["variant"]
    if version < (1, 44):
        shape["VirtualSize"] = image.size
    if version < (1, 45):
        shape["Container"] = config.get("container") or ""
        shape["ContainerConfig"] = config.get("container_config") or container_config
    return shape


def _comment(config: Json) -> str:
    history = config.get("history") or []
    return config.get("comment") or (history[-1].get("comment") if history else "") or ""


def history(image: Image, sizes: Sequence[int], ancestors: Iterable[Image]) -> list[Json]:
    """``GET /images/NAME/history``, newest first.

    Args:
        sizes: of the layers, bottom first.
        ancestors: the image itself and the known images below it, newest first.
    """
    rows: list[Json] = []
    left = list(sizes)
    for entry in image.config.get("history") or []:
        size = 0
        if not entry.get("empty_layer") and left:
            size = left.pop(0)
        rows.insert(
            0,
            {
                "Comment": entry.get("comment") or "",
                "Created": unix_seconds(entry.get("created") or ""),
                "CreatedBy": entry.get("created_by") or "",
                "Id": "<missing>",
                "Size": size,
                "Tags": None,
            },
        )
    for row, known in zip(rows, ancestors, strict=False):
        row["Id"] = known.id
        row["Tags"] = known.repo_tags or None
    return rows


def shared_size(image: Image, all_images: Iterable[Image], size_of: Callable[[str], int]) -> int:
    """Bytes of this image's layers that another image has too."""
    others = {chain for other in all_images if other.id != image.id for chain in other.chains}
    return sum(size_of(chain) for chain in image.chains if chain in others)
