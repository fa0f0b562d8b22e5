"""Writable layers of which an overlay keeps only what was written: kernel's or FUSE's.

SNAPSHOTS/<key>/
├── upper, work         overlay's own
└── merged              where it is mounted, in the engine's mount namespace
"""

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from agent.engine.errors import NoSpace, System
from agent.engine.storage.changes import Change, changes
from agent.engine.storage.drivers.base import Scratch
from agent.engine.storage.marks import Marks

_PARTS = (("upper", 0o755), ("work", 0o700), ("merged", 0o700))


class Stacked:
    """What both have in common."""

    marks: Marks

    def __init__(self, layers: Path) -> None:
        """``layers`` is the folder of layers."""
        self._layers = layers

    def make(self, path: Path, lowers: Sequence[str]) -> None:
        """See ``Driver``."""
        for name, mode in _PARTS:
            (path / name).mkdir(mode=mode, exist_ok=True)

    def seen(self, path: Path) -> Path:
        """See ``Driver``."""
        return path / "merged"

    def graph(self, path: Path) -> dict[str, str] | None:
        """See ``Driver``."""
        return {
            "LowerDir": "",
            "MergedDir": f"{path}/merged",
            "UpperDir": f"{path}/upper",
            "WorkDir": f"{path}/work",
        }

    def changes(self, path: Path, lowers: Sequence[str]) -> list[Change]:
        """See ``Driver``."""
        return changes(path / "upper", [self._layers / name for name in lowers], self.marks)

    def clean(self, path: Path, lowers: Sequence[str]) -> bool:
        """See ``Driver``."""
        with os.scandir(path / "upper") as scan:
            return next(scan, None) is None

    def usage(self, path: Path, lowers: Sequence[str]) -> int:
        """See ``Driver``."""
        return usage(path / "upper")

    def layer(self, path: Path, lowers: Sequence[str], scratch: Scratch, *, move: bool) -> Path:
        """See ``Driver``: consumed, the upper folder is the layer."""
        if move:
            return path / "upper"
        folder = scratch()
        done = subprocess.run(
            ["cp", "-a", "--reflink=auto", "-T", path / "upper", folder], capture_output=True, text=True, check=False
        )
        if done.returncode:
            text = done.stderr.strip()[-300:]
            raise (NoSpace if "No space left" in text else System)(f"copying the container's layer: {text}")
        return folder


def usage(folder: Path) -> int:
    """The sizes of all files below, each inode once. Blocking."""
    total, seen = 0, set()
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as scan:
                for entry in scan:
                    info = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(info.st_mode):
                        pending.append(Path(entry.path))
                    elif info.st_nlink == 1 or info.st_ino not in seen:
                        seen.add(info.st_ino)
                        total += info.st_size
        except FileNotFoundError:
            continue  # the container is at work
    return total
