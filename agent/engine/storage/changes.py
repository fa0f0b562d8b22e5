"""What a writable layer changed, as ``docker diff`` lists it. Pure reading of folders; blocking."""

import os
import stat
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from agent.engine.storage.marks import KERNEL, Marks


class Kind(IntEnum):
    """Docker's numbers."""

    MODIFIED = 0
    ADDED = 1
    DELETED = 2


class Change(NamedTuple):
    """One path, absolute within the container."""

    path: str
    kind: Kind


def changes(upper: Path, lowers: Sequence[Path], marks: Marks = KERNEL) -> list[Change]:
    """Every path that ``upper`` adds, modifies or removes above ``lowers`` (topmost first), in byte order."""
    return list(_level(upper, list(lowers), "", marks))


def _level(upper: Path, lowers: list[Path], prefix: str, marks: Marks) -> Iterator[Change]:
    with os.scandir(upper) as scan:
        entries = sorted(scan, key=lambda entry: os.fsencode(marks.meant(entry.name)))
    for entry in entries:
        path, name = Path(entry.path), f"{prefix}/{entry.name}"
        info = entry.stat(follow_symlinks=False)
        hidden = marks.hidden(entry.name, info)
        if hidden is not None:
            if hidden:
                yield Change(f"{prefix}/{hidden}", Kind.DELETED)
            continue
        below, folders = _below(lowers, entry.name, marks)
        if not stat.S_ISDIR(info.st_mode):
            yield Change(name, Kind.ADDED if below is None else Kind.MODIFIED)
            continue
        inner = list(_level(path, [] if marks.is_opaque(path) else folders, name, marks))
        if below is None:
            yield Change(name, Kind.ADDED)
        elif inner or not _same_folder(info, below):
            yield Change(name, Kind.MODIFIED)
        yield from inner


def _below(lowers: Sequence[Path], name: str, marks: Marks) -> tuple[os.stat_result | None, list[Path]]:
    """What the lower layers show under this name, and the folders that merge there.

    Each step looks only into folders known to be real ones: a link in a layer never leads out of it.
    """
    first: os.stat_result | None = None
    folders: list[Path] = []
    for lower in lowers:
        path = lower / name
        try:
            info = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            if marks.hides(lower, name):
                break
            continue
        if marks.hidden(name, info) is not None:
            break
        first = first or info
        if not stat.S_ISDIR(info.st_mode):
            break
        folders.append(path)
        if marks.is_opaque(path):
            break
    return first, folders


def _same_folder(ours: os.stat_result, theirs: os.stat_result) -> bool:
    return (ours.st_mode, ours.st_uid, ours.st_gid, ours.st_mtime_ns) == (
        theirs.st_mode,
        theirs.st_uid,
        theirs.st_gid,
        theirs.st_mtime_ns,
    )
