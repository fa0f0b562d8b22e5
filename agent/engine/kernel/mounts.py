"""Mounts: bind, unmount, and what is mounted where."""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.engine.kernel import syscalls

_ESCAPE = re.compile(r"\\([0-7]{3})")
_PROPAGATION = {
    "private": syscalls.MS_PRIVATE,
    "slave": syscalls.MS_SLAVE,
    "shared": syscalls.MS_SHARED,
    "unbindable": syscalls.MS_UNBINDABLE,
}


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo, what we use of it."""

    target: str
    kind: str
    source: str
    device: str
    options: str
    propagation: str = "private"
    """``private``, ``shared`` or ``slave``."""


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def parse_mountinfo(text: str) -> Iterator[Mount]:
    """Mounts in the order in which they were made."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, source, options) = before.split(" "), after.split(" ", 2)
        tags = fields[6:]
        shared, slave = (any(tag.startswith(word) for tag in tags) for word in ("shared:", "master:"))
        propagation = "shared" if shared else "slave" if slave else "private"
        yield Mount(_plain(fields[4]), kind, _plain(source), fields[2], options, propagation)


def mounted() -> list[Mount]:
    """All mounts of this process' namespace."""
    return list(parse_mountinfo(Path("/proc/self/mountinfo").read_text()))


def mounted_below(directory: Path) -> list[str]:
    """Mount points at or below a directory, innermost first."""
    prefix = f"{directory}/"
    return [
        mount.target
        for mount in reversed(mounted())
        if mount.target == str(directory) or mount.target.startswith(prefix)
    ]


def is_mounted(target: Path) -> bool:
    """Something is mounted exactly here."""
    return any(mount.target == str(target) for mount in mounted())


def filesystem_of(path: Path) -> str:
    """Kind of the filesystem that holds an existing path: ``ext4``, ``overlay`` …"""
    found = mount_of(path)
    return found.kind if found else ""


def mount_of(path: Path) -> Mount | None:
    """The mount that an existing path lies on."""
    found: Mount | None = None
    real = str(path.resolve())
    for mount in mounted():
        inside = real == mount.target or real.startswith(mount.target.rstrip("/") + "/")
        if inside and (found is None or len(mount.target) >= len(found.target)):
            found = mount
    return found


def bind(
    source: "str | os.PathLike[str]",
    target: "str | os.PathLike[str]",
    *,
    readonly: bool = False,
    recursive: bool = False,
) -> None:
    """Make ``source`` visible at ``target`` too, which must exist.

    The kernel takes the read-only flag in a second step only.
    """
    flags = syscalls.MS_BIND | (syscalls.MS_REC if recursive else 0)
    syscalls.mount(source, target, None, flags)
    if readonly:
        syscalls.mount(None, target, None, flags | syscalls.MS_REMOUNT | syscalls.MS_RDONLY)


def set_propagation(target: "str | os.PathLike[str]", kind: str, *, recursive: bool = False) -> None:
    """``private``, ``slave``, ``shared`` or ``unbindable``."""
    syscalls.mount(None, target, None, _PROPAGATION[kind] | (syscalls.MS_REC if recursive else 0))


def unmount(target: "str | os.PathLike[str]", *, lazy: bool = False) -> bool:
    """Take the topmost mount off ``target``, never following a link. False where nothing was mounted."""
    try:
        syscalls.umount(target, syscalls.UMOUNT_NOFOLLOW | (syscalls.MNT_DETACH if lazy else 0))
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOENT}:
            return False
        raise
    return True


def unmount_below(directory: Path) -> int:
    """Take off everything at or below a directory; how many that were."""
    targets = mounted_below(directory)
    for target in targets:
        unmount(target, lazy=True)
    return len(targets)
