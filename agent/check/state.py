"""Where the agent keeps its state: the filesystem, its room, and whether the socket's name fits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.check.finding import Check, Host
from agent.engine.storage.drivers import choice

_LEAST_DISK: Final = 2 << 30
_LEAST_FILES: Final = 100_000
_LONGEST_SOCKET: Final = 107
_REFUSED: Final = {
    **dict.fromkeys(("cifs", "smb3", "vfat", "exfat", "ntfs", "ntfs3"), "it has no owners"),
    **dict.fromkeys(("nfs", "nfs4"), "the network may go"),
    **dict.fromkeys(("squashfs", "iso9660"), "it is read-only"),
    "9p": "it has no extended attributes",
}
_FLEETING: Final = {"tmpfs", "ramfs"}
_ELSEWHERE: Final = "choose another --state, on ext4, xfs or btrfs"


def storage(host: Host, state: Path) -> Iterator[Check]:
    """Every check of this module."""
    where = next(path for path in [state.absolute(), *state.absolute().parents] if path.exists()).resolve()
    yield from _filesystem(host, state, where)
    if host.uid == 0 and os.access(where, os.W_OK):
        yield _driver(state / "engine", where)
    room = os.statvfs(where)
    free = room.f_bavail * room.f_frsize
    yield Check("disk", free >= _LEAST_DISK, f"{free >> 20} MiB free", "free some, or choose another --state")
    if room.f_files and room.f_favail < _LEAST_FILES:
        yield Check("inodes", False, f"{room.f_favail} left; images have many small files", _ELSEWHERE, needed=False)
    length = len(os.fsencode(state.absolute() / "docker.sock"))
    if length > _LONGEST_SOCKET:
        yield Check(
            "socket", False, f"its path has {length} bytes, {_LONGEST_SOCKET} are possible", "a shorter --state"
        )


def mount_of(mounts: str, where: Path) -> tuple[str, set[str]]:
    """Kind and options of the filesystem that a path is on. Pure."""
    best, found = -1, ("unknown", set[str]())
    for line in mounts.splitlines():
        _, target, kind, options, *_ = line.split(" ")
        target = target.replace("\\040", " ")
        # The last mount over a place is the one that is seen.
        if where.is_relative_to(target) and len(target) >= best:
            best, found = len(target), (kind, set(options.split(",")))
    return found


def _driver(root: Path, where: Path) -> Check:
    """A data root keeps the driver that it was made by; for a new one they are tried in the folder there is."""
    has = choice.recorded(root)
    found = choice.Choice(has, f"{root} was made by it") if has else choice.possible(where)
    best = found.name == choice.NAMES[0]
    cure = "" if best else choice.CURES.get(found.name, "")
    if has and cure:
        cure += "; images and containers are not taken over"
    return Check("storage driver", best, f"{found.name}: {found.reason}", cure, needed=False)


def _filesystem(host: Host, state: Path, where: Path) -> Iterator[Check]:
    kind, options = mount_of(host.text("mounts"), where)
    reason = _REFUSED.get(kind.removeprefix("fuse."), "")
    detail = f"{state} on {kind}"
    yield Check("state directory", not reason, f"{detail}: {reason}" if reason else detail, _ELSEWHERE)
    if kind in _FLEETING:
        yield Check("state directory", False, f"{detail}: gone after a reboot", _ELSEWHERE, needed=False)
    for option, harm, needed in (
        ("ro", "nothing can be written", True),
        ("noexec", "no program of a container can start", True),
        ("nosuid", "su and the like do not work in containers", False),
        ("nodev", "device files of images do not work", False),
    ):
        if option in options:
            opposite = {"ro": "rw", "noexec": "exec", "nosuid": "suid", "nodev": "dev"}[option]
            yield Check("mount options", False, f"{option}: {harm}", f"remount with {opposite}", needed=needed)
