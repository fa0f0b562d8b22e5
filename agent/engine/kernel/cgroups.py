"""Control groups, v1 and v2 (pure, or hybrid where v1 holds the controllers).

A *group* here is an absolute path within the hierarchy, e.g. ``/longshore-1f/ab12``; on v1 it stands for one
directory in each controller's tree.
"""

import asyncio
import contextlib
import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """How this host mounts its cgroups: v2 has one root, v1 a root per controller."""

    version: int
    roots: dict[str, Path]

    def directory(self, group: str, controller: str) -> Path | None:
        """The group's directory for a controller, or None where the host lacks it."""
        root = self.roots.get("" if self.version == 2 else controller)
        return root / group.lstrip("/") if root else None

    def directories(self, group: str) -> list[Path]:
        """Every directory of a group, without repeating trees that hold several controllers."""
        return [root / group.lstrip("/") for root in dict.fromkeys(self.roots.values())]

    @property
    def controllers(self) -> list[str]:
        """Names of the controllers that can be used."""
        if self.version == 2:
            return (self.roots[""] / "cgroup.controllers").read_text().split()
        return [name for name in self.roots if name != "unified" and "=" not in name]


def detect(mountinfo: str | None = None) -> Hierarchy:
    """Read how the host mounts its cgroups."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    v1: dict[str, Path] = {}
    v2: Path | None = None
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        target, fields = before.split(" ")[4], after.split(" ")
        if fields[0] == "cgroup2":
            v2 = Path(target)
        elif fields[0] == "cgroup":
            for option in fields[2].split(","):
                if option not in {"rw", "ro", "xattr", "clone_children"} and not option.startswith("release_agent"):
                    v1.setdefault(option, Path(target))
    if v2 is not None and not v1:
        return Hierarchy(2, {"": v2})
    if v2 is not None:
        v1["unified"] = v2  # hybrid: no controllers there, but runtimes make their groups in it too
    return Hierarchy(1, v1)


def create(hierarchy: Hierarchy, group: str) -> None:
    """Make a group in every tree. Idempotent. On v1 a cpuset must be given its parent's CPUs before use."""
    for directory in hierarchy.directories(group):
        directory.mkdir(parents=True, exist_ok=True)
    cpuset = hierarchy.directory(group, "cpuset") if hierarchy.version == 1 else None
    if cpuset is not None:
        _inherit_cpuset(hierarchy.roots["cpuset"], cpuset)


def _inherit_cpuset(root: Path, directory: Path) -> None:
    above: list[Path] = []
    while directory != root:
        above.append(directory)
        directory = directory.parent
    for child in reversed(above):
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not (child / name).read_text().strip():
                (child / name).write_text((child.parent / name).read_text())


def enter(hierarchy: Hierarchy, group: str, pid: int) -> None:
    """Move a process, with its threads, into the group in every tree."""
    for directory in hierarchy.directories(group):
        (directory / "cgroup.procs").write_text(str(pid))


def frozen(hierarchy: Hierarchy, group: str) -> bool:
    """The group's processes are frozen by its own setting."""
    directory = hierarchy.directory(group, "freezer")
    name, word = ("cgroup.freeze", "1") if hierarchy.version == 2 else ("freezer.state", "FROZEN")
    try:
        return directory is not None and (directory / name).read_text().strip() == word
    except FileNotFoundError:
        return False


def processes(hierarchy: Hierarchy, group: str) -> list[int]:
    """Pids in the group itself, not in groups below."""
    found: set[int] = set()
    for directory in hierarchy.directories(group):
        try:
            found.update(int(line) for line in (directory / "cgroup.procs").read_text().split())
        except FileNotFoundError:
            continue
    return sorted(found)


def remove(hierarchy: Hierarchy, group: str, patience: float = 0.0) -> bool:
    """Remove the group and all below it, in every tree. Blocks.

    Args:
        hierarchy: the host's.
        group: absolute within the hierarchy.
        patience: seconds to wait for processes that are ending.

    Returns:
        False if a process is still inside; what could be removed is gone.
    """
    deadline = time.monotonic() + patience
    while True:
        busy = False
        for directory in hierarchy.directories(group):
            for inner, _, _ in os.walk(directory, topdown=False):
                try:
                    Path(inner).rmdir()
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise
                    busy = True
        if not busy or time.monotonic() >= deadline:
            return not busy
        time.sleep(0.01)


def children(hierarchy: Hierarchy, group: str) -> set[str]:
    """Names of the groups right below."""
    found: set[str] = set()
    for directory in hierarchy.directories(group):
        if directory.is_dir():
            found.update(entry.name for entry in directory.iterdir() if entry.is_dir())
    return found


class _Moves:
    """Moving a process into a group first waits for a grace period of RCU, 5 to 15 ms, unless one has just been moved.

    So the wait is begun as soon as a move is foreseen, by one that changes nothing, beside what is done before the
    move. It is worth nothing after 20 ms.
    """

    def __init__(self) -> None:
        self._under_way = False

    def foresee(self) -> None:
        """Begin the wait for a move that comes soon, in another thread. For the event loop."""
        if not self._under_way:
            self._under_way = True
            asyncio.get_running_loop().run_in_executor(None, self._stay)

    def _stay(self) -> None:
        """Move this process to where it is."""
        try:
            with contextlib.suppress(OSError):  # then the wait comes later
                (_own_group() / "cgroup.procs").write_text("0")
        finally:
            self._under_way = False


def _own_group() -> Path:
    roots = detect().roots
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, group = line.split(":", 2)
        for name in names.split(","):
            if name in roots:
                return roots[name] / group.lstrip("/")
    raise FileNotFoundError(errno.ENOENT, "no group of this process can be seen")


foresee_move = _Moves().foresee
