"""Which code a process was started from: a digest of its files, so that an update shows what is out of date."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from scripts.launch.plan import ROOT

_SHARED = ("Procfile", "agent/protocol", "requirements/agent.txt")
_CONTROL_PLANE = (*_SHARED, "controlplane", "manage.py", "requirements/controlplane.txt")
#: The dashboard's files are listed when web starts, so a new build of them is new code to it.
PLACES = {
    "web": (*_CONTROL_PLANE, "frontend/dist"),
    "worker": _CONTROL_PLANE,
    "beat": _CONTROL_PLANE,
    "agent": (*_SHARED, "agent"),
}


def digest(process: str, root: Path = ROOT) -> str:
    """What a process would run if it were started now.

    Args:
        process: a name of the Procfile.
        root: the clone.
    """
    found = hashlib.sha256()
    for path in _files(root, PLACES[process]):
        found.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _files(root: Path, places: tuple[str, ...]) -> Iterator[Path]:
    for place in places:
        path = root / place
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in inside if one.is_file() and "__pycache__" not in one.parts)
