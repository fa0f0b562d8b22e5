"""Device nodes for a container, from what the host has."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.engine.errors import Invalid, System

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
        System: no such device.
    """
    nodes: list[Json] = []
    for entry in given or []:
        outside = entry.get("PathOnHost") or ""
        inside = entry.get("PathInContainer") or outside
        access = entry.get("CgroupPermissions") or "rwm"
        real = os.path.realpath(outside)
        if _is_device(real):
            found = [(real, inside)]
        else:
            found = [(path, inside + path.removeprefix(real)) for path in _below(real)]
        if not found:
            why = "not a device node" if Path(real).exists() else "no such file or directory"
            raise System(f'error gathering device information while adding custom device "{outside}": {why}')
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


def of_host(given: Sequence[Mapping[str, Any]] | None = None) -> list[Json]:
    """All device nodes of the host, for a privileged container, and those that it wants elsewhere too. Blocks.

    Raises:
        System: no such device.
    """
    moved = [entry for entry in given or [] if entry.get("PathInContainer") not in (None, "", entry.get("PathOnHost"))]
    return [*(_node(path, path) for path in _below("/dev")), *asked(moved)[0]]


def named(edits: Sequence[Mapping[str, Any]]) -> list[tuple[Json, str]]:
    """Device nodes of edits by specification files, each with what may be done to it. Blocks.

    Raises:
        System: no such device.
    """
    found: list[tuple[Json, str]] = []
    for edit in edits:
        for entry in edit.get("deviceNodes") or ():
            outside, inside = entry.get("hostPath") or entry["path"], entry["path"]
            if not _is_device(os.path.realpath(outside)):
                raise System(f"CDI device injection failed: {outside} is no device of this host")
            node = _node(os.path.realpath(outside), inside)
            node |= {key: entry[key] for key in ("fileMode", "uid", "gid") if entry.get(key) is not None}
            found.append((node, entry.get("permissions") or "rwm"))
    return found


def check(given: Sequence[Mapping[str, Any]] | None) -> None:
    """Judge what may be done to the devices of ``--device``. Pure.

    Raises:
        Invalid: something else than reading, writing and making nodes.
    """
    for entry in given or []:
        access = entry.get("CgroupPermissions") or ""
        if not set(access) <= set("rwm"):
            raise Invalid(f"invalid device permissions for {entry.get('PathOnHost')}: {access}")
