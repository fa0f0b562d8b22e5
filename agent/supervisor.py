"""Starts engine and link, and starts them again when they die. Knows neither; no event loop, little memory.

SIGTERM ends the two and waits for them. Containers are children of their monitors, in cgroups of their own: they run
on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

log = logging.getLogger("longshore.agent")

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
# a process that lived as long as this was well: its next death is a first one
WELL_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
# EX_CONFIG: starting it again cannot help before somebody changes something
_CONFIG_EXIT: Final = 78


@dataclass
class Child:
    """One process and its back-off."""

    name: str
    argv: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    next_start: float = 0.0
    pause: float = FIRST_PAUSE
    deaths: list[int] = field(default_factory=list)


OPTIONS = "engine.options"
"""Options of a host's engine, in its state directory: what dockerd reads from daemon.json."""


def commands(state: Path, engine: str | None, netns: str | None) -> list[Child]:
    """What `agent run` runs: an own engine unless the host has one, and the link once the host is enrolled."""
    python = [sys.executable, "-m", "agent"]
    children = []
    if engine is None:
        argv = [*python, "engine", "--root", str(state / "engine"), "--socket", str(state / "docker.sock")]
        if (state / OPTIONS).exists():
            argv.append(f"@{state / OPTIONS}")
        children.append(Child("engine", argv + (["--netns", netns] if netns else [])))
    link = [*python, "link", "--state", str(state)]
    children.append(Child("link", link + (["--engine", engine] if engine else [])))
    return children


class Supervisor:
    """Runs children until SIGTERM or SIGINT."""

    def __init__(self, children: list[Child], clock: Callable[[], float] = time.monotonic) -> None:
        self._children = children
        self._clock = clock
        self._stopping = False

    def run(self) -> int:
        """Returns when every child has ended after a stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # a child's death wakes the wait below at once
        signal.signal(signal.SIGCHLD, lambda *_: None)
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        while not self._stopping:
            self.tick()
            select.select([reader], [], [], self._pause())
            with contextlib.suppress(BlockingIOError):
                os.read(reader, 4096)
        self._end()
        return 0

    def tick(self) -> None:
        """Reap who died, start whose time has come."""
        now = self._clock()
        for child in self._children:
            if child.process is not None and (code := child.process.poll()) is not None:
                self._died(child, code, now)
            if child.process is None and now >= child.next_start and not self._stopping:
                child.process = subprocess.Popen(child.argv, start_new_session=True)
                child.started_at = now
                log.info("started %s, pid %d", child.name, child.process.pid)

    def _died(self, child: Child, code: int, now: float) -> None:
        child.process = None
        child.deaths.append(code)
        del child.deaths[:-10]
        if now - child.started_at >= WELL_SECONDS:
            child.pause = FIRST_PAUSE
        wait = LONGEST_PAUSE if code == _CONFIG_EXIT else child.pause
        child.next_start = now + wait
        child.pause = min(child.pause * 2, LONGEST_PAUSE)
        log.warning("%s ended (%s); starts again in %.1f s", child.name, _words(code), wait)

    def _pause(self) -> float:
        waiting = [child.next_start - self._clock() for child in self._children if child.process is None]
        return max(0.01, min([*waiting, 1.0]))

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _end(self) -> None:
        # the link first: it may still report what the engine finishes
        for child in reversed(self._children):
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        end = self._clock() + STOP_SECONDS
        for child in self._children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, end - self._clock()))
            except subprocess.TimeoutExpired:
                log.warning("%s does not end; killed", child.name)
                child.process.kill()
                child.process.wait()


def _words(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
