"""What a storage driver has for an engine's containers, seen from outside."""

import contextlib
from pathlib import Path

from agent.engine.kernel import mounts
from tests.agent.engine.conftest import RunningEngine


def servers(engine: RunningEngine) -> dict[str, int]:
    """Container or key → pid of the process that serves its file system."""
    found = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            where = Path(words[-2].decode()) if words[0] == b"fuse-overlayfs" else Path()
            if where.is_relative_to(engine.data):
                found[where.parent.name] = int(folder.name)
    return found


def leftovers(engine: RunningEngine) -> list[object]:
    """What must be gone when no container is there."""
    snapshots = [entry.name for entry in (engine.data / "snapshots").iterdir()]
    return [*snapshots, *mounts.mounted_below(engine.data), *servers(engine)]
