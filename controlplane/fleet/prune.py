"""What a prune would free, from Docker's `system/df`. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any


def reclaimable(usage: Mapping[str, Any], kinds: Iterable[str], networks_unused: int) -> dict[str, dict[str, int]]:
    """Count and bytes for each kind.

    Args:
        usage: the answer of `GET /system/df`.
        networks_unused: `system/df` knows no networks; from the records.
    """
    found = {"containers": _containers(usage), "images": _images(usage), "networks": (networks_unused, 0)}
    return {kind: {"count": found[kind][0], "bytes": found[kind][1]} for kind in kinds}


def _containers(usage: Mapping[str, Any]) -> tuple[int, int]:
    ended = [
        one for one in usage.get("Containers") or [] if one.get("State") not in {"running", "paused", "restarting"}
    ]
    return len(ended), sum(int(one.get("SizeRw") or 0) for one in ended)


def _images(usage: Mapping[str, Any]) -> tuple[int, int]:
    """Dangling ones: a prune without filters leaves every image that has a name."""
    loose = [one for one in usage.get("Images") or [] if not _named(one) and not int(one.get("Containers") or 0) > 0]
    return len(loose), sum(max(int(one.get("Size") or 0) - max(int(one.get("SharedSize") or 0), 0), 0) for one in loose)


def _named(image: Mapping[str, Any]) -> bool:
    return any(tag != "<none>:<none>" for tag in image.get("RepoTags") or [])
