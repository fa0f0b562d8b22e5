"""Hear of processes that the kernel kills because their group is out of memory, while the group lives on.

v1 signals an eventfd (registered in ``cgroup.event_control``) when a group or one above it has no memory left, and when
it is removed; v2 marks ``memory.events`` as modified, which inotify hears. Both say only that one should look: what
counts is ``oom_kill``, the number of processes killed, so that a neighbour's end is nobody else's news.

Sources: Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.engine.kernel import inotify
from agent.engine.kernel.cgroups import Hierarchy

CONTROL, EVENTS = "memory.oom_control", "memory.events"
LOOKS = (0.02, 0.2, 1.0)
"""v1 tells before it kills: seconds after which to look again."""


@dataclass(slots=True)
class _Watch:
    directory: Path
    wake: Callable[[], None]
    told: int
    descriptor: int


class Ooms:
    """Watches groups by a name. Belongs to one event loop."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self._hierarchy = hierarchy
        self._watched: dict[str, _Watch] = {}
        self._inotify = inotify.Files()

    def watch(self, name: str, group: str, wake: Callable[[], None]) -> None:
        """Begin, with a group that is new. One that cannot be watched is left alone: its end is noted by others.

        Args:
            name: for ``take`` and ``forget``; what it stood for before is forgotten.
            group: absolute within the hierarchy.
            wake: called when there is something to take, now or later.
        """
        self.forget(name)
        directory = self._hierarchy.directory(group, "memory")
        if directory is None:
            return
        with contextlib.suppress(OSError):
            self._watched[name] = _Watch(directory, wake, 0, self._register(name, directory))

    def adopt(self, name: str, *, told: bool) -> None:
        """It is not new: what has happened in it so far has been told, or is to be taken now."""
        if told:
            self.take(name)
        else:
            self._look(name, ())

    def take(self, name: str) -> bool:
        """Whether processes were killed since this was last asked."""
        watch = self._watched.get(name)
        if watch is None:
            return False
        before, watch.told = watch.told, self._kills(watch.directory)
        return watch.told > before

    def forget(self, name: str) -> None:
        """Watch no more."""
        watch = self._watched.pop(name, None)
        if watch is None:
            return
        if self._hierarchy.version == 2:
            self._inotify.leave(watch.descriptor)
        else:
            asyncio.get_running_loop().remove_reader(watch.descriptor)
            os.close(watch.descriptor)

    def close(self) -> None:
        """Watch nothing any more."""
        for name in list(self._watched):
            self.forget(name)
        self._inotify.close()

    def _register(self, name: str, directory: Path) -> int:
        if self._hierarchy.version == 2:
            return self._inotify.watch(directory / EVENTS, lambda: self._look(name, ()))
        event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            control = os.open(directory / CONTROL, os.O_RDONLY | os.O_CLOEXEC)
            try:
                (directory / "cgroup.event_control").write_text(f"{event} {control}")
            finally:
                os.close(control)
        except OSError:
            os.close(event)
            raise
        asyncio.get_running_loop().add_reader(event, self._signalled, name, event)
        return event

    def _signalled(self, name: str, event: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(event)
        self._look(name, LOOKS)

    def _look(self, name: str, again: tuple[float, ...]) -> None:
        watch = self._watched.get(name)
        if watch is None:
            return
        if self._kills(watch.directory) > watch.told:
            watch.wake()
        elif again and watch.directory.exists():
            asyncio.get_running_loop().call_later(again[0], self._look, name, again[1:])

    def _kills(self, directory: Path) -> int:
        """Processes killed in the group and below it; v1 counts each group for itself."""
        if self._hierarchy.version == 2:
            return _count(directory / EVENTS)
        return sum(_count(Path(inner) / CONTROL) for inner, _, _ in os.walk(directory))


def _count(path: Path) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
    return 0
