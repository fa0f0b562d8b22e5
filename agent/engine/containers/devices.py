"""Device nodes for a container, from what the host has."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.engine.errors import Invalid

Json = dict[str, Any]

# Not devices of the host but of whoever looks.
_NOT_HOST = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"})


def _node(path: str, inside: str) -> Json:
    status = Path(path).lstat()
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b"
    return {
        "path": inside,
        "type": kind,
        "major": os.major(status.st_rdev),
        "minor": os.minor(status.st_rdev),
        "fileMode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def _below(path: str) -> Iterator[str]:
    for directory, inner, names in os.walk(path):
        inner[:] = [name for name in inner if name not in _NOT_HOST]
        for name in names:
            full = f"{directory}/{name}"
            if name not in _NOT_HOST and _is_device(full):
                yield full


def _is_device(path: str) -> bool:
    try:
        mode = Path(path).lstat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def asked(given: Sequence[Mapping[str, Any]] | None) -> tuple[list[Json], list[Json]]:
    """(nodes, cgroup rules) of ``--device``; a directory means the devices in it. Blocks.

    Raises:
        Invalid: no such device.
    """
    nodes: list[Json] = []
    for entry in given or []:
        outside = entry.get("PathOnHost") or ""
        inside = entry.get("PathInContainer") or outside
        access = entry.get("CgroupPermissions") or "rwm"
        if not set(access) <= set("rwm"):
            raise Invalid(f"invalid device permissions for {outside}: {access}")
        real = os.path.realpath(outside)
        if _is_device(real):
            found = [(real, inside)]
        else:
            found = [(path, inside + path.removeprefix(real)) for path in _below(real)]
        if not found:
            why = "not a device node" if Path(real).exists() else "no such file or directory"
            raise Invalid(f'error gathering device information while adding custom device "{outside}": {why}')
        nodes += [{**_node(path, where), "access": access} for path, where in found]
    rules = [
        {
            "allow": True,
            "type": node["type"],
            "major": node["major"],
            "minor": node["minor"],
            "access": node.pop("access"),
        }
        for node in nodes
    ]
    return nodes, rules


def of_host() -> list[Json]:
    """All device nodes of the host, for a privileged container. Blocks."""
    return [_node(path, path) for path in _below("/dev")]
