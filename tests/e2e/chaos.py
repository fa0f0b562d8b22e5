"""Kill what runs a fleet, at random, while orders flow: who is killed, how, and how often."""

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.lab import Lab, LabHost

VICTIMS = ("engine", "link", "worker", "web", "redis")


def children(pid: int) -> list[int]:
    """Direct children of a process, of all its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:  # the thread ended between the listing and now
            continue
    return found


def command(pid: int) -> str:
    """The command line, or nothing where the process is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def agent_part(host: LabHost, part: str) -> int:
    """The pid of a host's ``engine`` or ``link``; 0 while it is being restarted."""
    assert host.process
    return next((pid for pid in children(host.process.pid) if f"agent {part}" in command(pid)), 0)


def control_plane_part(lab: Lab, name: str) -> int:
    """The pid of one of supervisor's programs; 0 while it is being restarted."""
    control = ["-c", str(lab.data / "run/supervisord.conf"), "pid", name]
    done = subprocess.run(
        [lab.python, "-m", "supervisor.supervisorctl", *control], capture_output=True, text=True, check=False
    )
    return int(done.stdout.strip()) if done.stdout.strip().isdigit() else 0


class Killer(threading.Thread):
    """Kills each kind of process at random until every kind had its share and ``enough`` says stop."""

    def __init__(
        self, lab: Lab, *, each: int, seed: int, pause: tuple[float, float], enough: Callable[[], bool]
    ) -> None:
        super().__init__(daemon=True)
        self.lab, self.each, self.pause, self.enough = lab, each, pause, enough
        self.random = random.Random(seed)
        self.killed: Counter[str] = Counter()

    def run(self) -> None:
        """Kill; at most ten times as many tries as kills are wanted, so that it stops by itself."""
        hosts = [h for h in self.lab.hosts.values() if h.engine is None]
        for _ in range(self.each * len(VICTIMS) * 10):
            wanting = [v for v in VICTIMS if self.killed[v] < self.each]
            if not wanting and self.enough():
                return
            victim = self.random.choice(wanting or VICTIMS)
            if victim in ("engine", "link"):
                pid = agent_part(self.random.choice(hosts), victim)
            else:
                pid = control_plane_part(self.lab, victim)
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                    self.killed[victim] += 1
                except ProcessLookupError:
                    pass
            # Once each had its share the fleet is mostly left in peace: what never runs can do no work.
            time.sleep(self.random.uniform(*self.pause) * (1 if wanting else 4))
