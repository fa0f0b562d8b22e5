"""A copy of the whole file system for each container: slow and large, but every file system can hold it.

    SNAPSHOTS/<key>/
    ├── tree                all of it, copied from the layers; nothing is mounted
    └── chain               made last: what was changed later than that may differ from the layers

What was written is found by comparing the tree with what the layers show. A file whose inode is older than ``chain``
has not been touched; of the others content and attributes are compared, so that a time set back hides nothing.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.engine.kernel import mounts
from agent.engine.kernel.syscalls import syncfs
from agent.engine.storage import copying, overlay
from agent.engine.storage.changes import Change, Kind
from agent.engine.storage.drivers.base import Scratch
from agent.engine.storage.marks import FILES, Marks
from agent.engine.storage.view import Seen, listed


class _Differs(NamedTuple):
    """One path that differs, relative to the root."""

    path: Path
    kind: Kind
    info: os.stat_result
    """Of what is there now; of what is gone where it is gone."""


class Vfs:
    """See ``Driver``."""

    name = "vfs"
    marks: Marks = FILES
    mappable = True
    limits = True

    def __init__(self, layers: Path) -> None:
        """``layers`` is the folder of layers."""
        self._layers = layers
        self._mapped: Path | None = None

    def make(self, path: Path, lowers: Sequence[str]) -> None:
        """See ``Driver``. The copy is synced: what a power cut left half would pass for the container's own work."""
        tree = path / "tree"
        if tree.exists():
            shutil.rmtree(tree)
        tree.mkdir(mode=0o755)
        self._fill(tree, [self._layers / name for name in lowers], copying.Links())
        fd = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs(fd)
        finally:
            os.close(fd)

    def _fill(self, target: Path, folders: Sequence[Path], links: copying.Links) -> None:
        for name, seen in listed(folders, self.marks).items():
            place = target / name
            copying.copy(seen.path, seen.info, place, links)
            if stat.S_ISDIR(seen.info.st_mode):
                self._fill(place, seen.folders, links)
                copying.dress(seen.path, seen.info, place)

    def seen(self, path: Path) -> Path:
        """See ``Driver``."""
        return path / "tree"

    def graph(self, path: Path) -> dict[str, str] | None:
        """See ``Driver``."""
        return None

    def mounted(self, target: Path) -> bool:
        """See ``Driver``: the tree itself is always there."""
        return target.name == "tree" or overlay.mounted(target)

    async def mount(
        self,
        path: Path,
        lowers: Sequence[str],
        target: Path | None,
        *,
        volatile: bool,
        mapped: bool,
    ) -> None:
        """See ``Driver``: only a view with other ids is a mount."""
        if target is not None and mapped:
            assert self._mapped is not None
            mounts.bind(self._mapped / "snapshots" / path.name / "tree", target)

    def unmount(self, target: Path) -> None:
        """See ``Driver``."""
        if target.name != "tree":
            overlay.unmount(target)

    def map(self, root: Path, owner: tuple[int, int]) -> None:
        """See ``Driver``."""
        self._mapped = root

    def changes(self, path: Path, lowers: Sequence[str]) -> list[Change]:
        """See ``Driver``."""
        return [Change(f"/{found.path}", found.kind) for found in self._differences(path, lowers)]

    def clean(self, path: Path, lowers: Sequence[str]) -> bool:
        """See ``Driver``."""
        return next(self._differences(path, lowers), None) is None

    def usage(self, path: Path, lowers: Sequence[str]) -> int:
        """See ``Driver``."""
        files = {
            (found.info.st_dev, found.info.st_ino): found.info.st_size
            for found in self._differences(path, lowers)
            if found.kind is not Kind.DELETED and not stat.S_ISDIR(found.info.st_mode)
        }
        return sum(files.values())

    def layer(self, path: Path, lowers: Sequence[str], scratch: Scratch, *, move: bool) -> Path:
        """See ``Driver``."""
        found = list(self._differences(path, lowers))
        tree, folder, links = path / "tree", scratch(), copying.Links()
        for path_, kind, info in found:
            if kind is Kind.DELETED:
                self.marks.hide(folder / path_.parent, path_.name)
            elif move and not stat.S_ISDIR(info.st_mode):
                (tree / path_).rename(folder / path_)
            else:
                copying.copy(tree / path_, info, folder / path_, links)
        for path_, kind, info in reversed(found):
            if kind is not Kind.DELETED and stat.S_ISDIR(info.st_mode):
                copying.dress(tree / path_, info, folder / path_)
        return folder

    def close(self) -> None:
        """See ``Driver``: nothing runs."""

    def _differences(self, path: Path, lowers: Sequence[str]) -> Iterator[_Differs]:
        made = (path / "chain").lstat().st_ctime_ns
        yield from _level(path / "tree", Path(), [self._layers / name for name in lowers], made, self.marks)


def _level(tree: Path, inside: Path, folders: Sequence[Path], made: int, marks: Marks) -> Iterator[_Differs]:
    """A folder comes before what is in it, names in byte order."""
    below = listed(folders, marks)
    try:
        with os.scandir(tree / inside) as scan:
            here = {entry.name: entry.stat(follow_symlinks=False) for entry in scan}
    except FileNotFoundError:
        return  # the container is at work
    for name in sorted({*here, *below}, key=os.fsencode):
        path, info, seen = inside / name, here.get(name), below.get(name)
        if info is None:
            assert seen is not None
            yield _Differs(path, Kind.DELETED, seen.info)
            continue
        changed = seen is None or _changed(tree / path, info, seen, made)
        kind = Kind.ADDED if seen is None else Kind.MODIFIED
        if not stat.S_ISDIR(info.st_mode):
            if changed:
                yield _Differs(path, kind, info)
            continue
        inner = _level(tree, path, seen.folders if seen else (), made, marks)
        first = None if changed else next(inner, None)
        if changed or first:
            yield _Differs(path, kind, info)
        if first:
            yield first
        yield from inner


def _changed(path: Path, info: os.stat_result, seen: Seen, made: int) -> bool:
    before = seen.info
    if (info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, info.st_rdev) != (
        before.st_mode, before.st_uid, before.st_gid, before.st_mtime_ns, before.st_rdev,
    ):  # fmt: skip
        return True
    if stat.S_ISDIR(info.st_mode):
        return info.st_ctime_ns >= made and copying.attributes(path) != copying.attributes(seen.path)
    if info.st_size != before.st_size:
        return True
    if info.st_ctime_ns < made:
        return False
    if stat.S_ISLNK(info.st_mode):
        return path.readlink() != seen.path.readlink()
    if copying.attributes(path) != copying.attributes(seen.path):
        return True
    return stat.S_ISREG(info.st_mode) and not copying.same_content(path, seen.path)
