"""How containers end.

The code comes from conmon's exit file, the moment from its time stamp. conmon is watched by descriptor rather than by
directory, and after it the container itself: where conmon was killed, the container lives on, and its code is lost
unless it has become our child. Then the engine says 255, as dockerd does for what it did not see.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from agent.engine.kernel import pidfd
from agent.engine.runtime.base import Processes

UNKNOWN = 255
POLL = 0.2


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a container's run."""

    code: int
    oom_killed: bool
    finished_ns: int


def read_exit_file(path: Path) -> tuple[int, int] | None:
    """(code, time in ns) from conmon's exit file, or None where it wrote none."""
    try:
        text = path.read_text().strip()
        return int(text), path.stat().st_mtime_ns
    except (FileNotFoundError, ValueError):
        return None


async def _end_of(pid: int, ticks: int) -> int | None:
    """Wait for a process to end; its code if it was our child."""
    if pid <= 0:
        return None
    descriptor = pidfd.open_process(pid, ticks)
    if descriptor is None:
        return None
    try:
        await pidfd.ended(descriptor)
    finally:
        os.close(descriptor)
    return pidfd.reap(pid)


class Exits:
    """Waiters by container id."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Exit]] = {}

    def watch(self, container_id: str, processes: Processes, exit_file: Path, bundle: Path) -> "asyncio.Task[Exit]":
        """Begin to wait for the end of a container's run; also of one that has ended meanwhile."""
        task = asyncio.create_task(self._follow(processes, exit_file, bundle), name=f"exit {container_id[:12]}")
        self._tasks[container_id] = task
        task.add_done_callback(lambda done: self._forget(container_id, done))
        return task

    async def wait(self, container_id: str) -> Exit | None:
        """The end of the current run; None where nothing is watched. Cancelling the waiter harms nobody."""
        task = self._tasks.get(container_id)
        return await asyncio.shield(task) if task else None

    def forget(self, container_id: str) -> None:
        """Stop watching a run that is undone."""
        if (task := self._tasks.get(container_id)) is not None:
            task.cancel()

    def _forget(self, container_id: str, task: "asyncio.Task[Exit]") -> None:
        if self._tasks.get(container_id) is task:
            del self._tasks[container_id]

    async def _follow(self, processes: Processes, exit_file: Path, bundle: Path) -> Exit:
        await _end_of(processes.conmon_pid, processes.conmon_ticks)
        oom = (bundle / "oom").exists()
        if (found := read_exit_file(exit_file)) is not None:
            pidfd.reap(processes.pid)
            return Exit(found[0], oom, found[1])
        # conmon is gone without a word: the container may still run, as an orphan.
        code = await _end_of(processes.pid, processes.ticks)
        return Exit(UNKNOWN if code is None else code, oom, time.time_ns())

    async def close(self) -> None:
        """Stop watching; the containers run on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
