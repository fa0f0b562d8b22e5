"""What a stack of layers shows, folder by folder, read without mounting anything. Blocking."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent.engine.storage.marks import Marks


class Seen(NamedTuple):
    """One name in a folder."""

    path: Path
    """In the topmost layer that has it."""
    info: os.stat_result
    folders: tuple[Path, ...]
    """Of a folder: those that merge there, topmost first."""


def listed(folders: Sequence[Path], marks: Marks) -> dict[str, Seen]:
    """The names in a folder, in byte order.

    A link in a layer never leads out of it: only real folders are merged.

    Args:
        folders: what the layers have there, topmost first, down to the first that hides the others.
        marks: of these layers.
    """
    found: dict[str, Seen] = {}
    closed: set[str] = set()
    for folder in folders:
        hidden: set[str] = set()
        with os.scandir(folder) as scan:
            entries = list(scan)
        for entry in entries:
            info = entry.stat(follow_symlinks=False)
            name = marks.hidden(entry.name, info)
            if name is not None:
                hidden.add(name)
            elif entry.name not in closed:
                _add(found, closed, entry.name, Path(entry.path), info, marks)
        closed |= hidden
    return {name: found[name] for name in sorted(found, key=os.fsencode)}


def _add(found: dict[str, Seen], closed: set[str], name: str, path: Path, info: os.stat_result, marks: Marks) -> None:
    above = found.get(name)
    if not stat.S_ISDIR(info.st_mode):
        closed.add(name)
        if above is None:
            found[name] = Seen(path, info, ())
        return
    if marks.is_opaque(path):
        closed.add(name)
    found[name] = Seen(path, info, (path,)) if above is None else above._replace(folders=(*above.folders, path))
