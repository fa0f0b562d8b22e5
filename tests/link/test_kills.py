"""Orders while the link and the control plane's parts are killed at random: each effect once, none lost."""

import os
import random
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable

import pytest

from tests.link.stack import Process, Stack, wait_for
from tests.link.test_orders import docker

ORDERS = 60


def order(stack: Stack, *words: object) -> str:
    """Make an order; a database that is locked for a moment is asked again."""
    for _ in range(20):
        try:
            return stack.do("order", *words)
        except RuntimeError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.2)
    raise AssertionError("the database stays locked")


class Rampage:
    """Orders to one host while its parts and the control plane's are killed; then every effect is counted."""

    def __init__(self, stack: Stack, engine: str, name: str, kills: dict[str, Callable[[], None]], seed: int) -> None:
        self.stack, self.engine, self.name, self.kills = stack, engine, name, kills
        self.chance = random.Random(seed)
        self.killed: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self.targets: list[str] = []

    def create(self, start: bool, label: str) -> str:
        spec = {"Cmd": ["sh", "-c", "echo started; exec sleep 600"], "StopSignal": "SIGKILL", "Labels": {"run": label}}
        args = {"id": str(uuid.uuid4()), "image": "lnk-busybox:1", "pull": "never", "start": start, "spec": spec}
        return order(self.stack, "h", "container.create", args)

    def kill(self) -> None:
        which = self.chance.choice(sorted(self.kills))
        self.killed[which] += 1
        self.kills[which]()

    def starts(self, target: str, since: int) -> int:
        told = docker(
            self.engine, "events", "--since", str(since), "--until", str(int(time.time()) + 1),
            "--filter", f"container={target}", "--filter", "event=start", "--format", "{{.ID}}",
        )  # fmt: skip
        return len(told.split())

    def run(self, count: int) -> None:
        since = int(time.time())
        made = [self.create(True, f"{self.name}-base") for _ in range(4)]
        self.targets = [one["result"]["engine_id"] for one in self.stack.ended(*made, seconds=40)]
        idle = self.targets[3]
        pid = docker(self.engine, "inspect", "-f", "{{.State.Pid}}", idle)
        ids = []
        for n in range(count):
            if n % 3 == 0:
                ids.append(order(self.stack, "h", "volume.create", {"name": f"{self.name}-v{n}"}))
            elif n % 3 == 1:
                target = self.chance.choice(self.targets[:3])
                self.restarts[target] += 1
                ids.append(order(self.stack, "h", "container.restart", {"engine_id": target, "timeout": 0}))
            else:
                ids.append(self.create(False, f"{self.name}-made"))
            time.sleep(self.chance.uniform(0, 0.25))
            if n % 5 == 4:
                self.kill()
        ended = self.stack.ended(*ids, seconds=100)
        assert [one for one in ended if one["state"] != "done"] == [], self.killed
        assert len(docker(self.engine, "volume", "ls", "-q", "--filter", f"name={self.name}-v").split()) == count // 3
        rows = docker(self.engine, "ps", "-aq", "--filter", f"label=run={self.name}-made").split()
        assert len(rows) == count // 3
        for target, wanted in self.restarts.items():
            starts = self.starts(target, since)
            assert starts == wanted + 1, (target, wanted, self.killed)
            # each start of the program writes one line, unless the next restart kills it before it comes to that
            lines = docker(self.engine, "logs", target).split()
            assert set(lines) == {"started"}
            assert wanted // 2 <= len(lines) <= starts
        assert docker(self.engine, "inspect", "-f", "{{.State.Pid}}", idle) == pid

    def clean(self) -> None:
        for label in ("base", "made"):
            for row in docker(self.engine, "ps", "-aq", "--filter", f"label=run={self.name}-{label}").split():
                docker(self.engine, "rm", "-f", row)
        for volume in docker(self.engine, "volume", "ls", "-q", "--filter", f"name={self.name}").split():
            docker(self.engine, "volume", "rm", volume)


def revive(process: Process, before: Callable[[], object] = lambda: None) -> None:
    """Kill a process and start it again."""
    process.kill()
    before()
    process.start()


def control_plane(stack: Stack) -> dict[str, Callable[[], None]]:
    return {
        "web": lambda: revive(stack.web),
        "worker": lambda: revive(stack.worker),
        "redis": lambda: revive(stack.redis, lambda: stack.redis_socket.unlink(missing_ok=True)),
    }


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_kills_in_the_middle_lose_and_repeat_nothing_on_dockerd(own: Stack, engine: str, name: str) -> None:
    assert own.enrol("h").returncode == 0
    link = own.link("h", engine)
    own.online("h")
    rampage = Rampage(own, engine, name, control_plane(own) | {"link": lambda: revive(link)}, seed=7)
    try:
        rampage.run(ORDERS)
    finally:
        rampage.clean()


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_kills_in_the_middle_lose_and_repeat_nothing(own: Stack, own_engine: str, name: str) -> None:
    def kill(part: str) -> None:
        if pid := own.child("h", part):
            os.kill(pid, signal.SIGKILL)

    kills = control_plane(own) | {"link": lambda: kill("link"), "engine": lambda: kill("engine")}
    rampage = Rampage(own, own_engine, name, kills, seed=11)
    try:
        rampage.run(ORDERS)
    finally:
        rampage.clean()


def test_a_malformed_ring_stops_the_link_for_a_moment_only(stack: Stack, host: str, engine: str) -> None:
    """A malformed body may end a Celery worker: under the supervisor another one starts."""
    link = stack.agents[host]
    stack.redis_cli("LPUSH", f"agent:{stack.do('host', host)['id']}:q", "garbage")
    time.sleep(2)
    if link.process is None or link.process.poll() is not None:
        link.start()
    stack.online(host)
    [done] = stack.ended(stack.do("order", host, "host.refresh", {}), seconds=30)
    assert done["state"] == "done"


def test_sigkill_of_the_agent_leaves_the_container(stack: Stack, host: str, engine: str, name: str) -> None:
    docker(engine, "run", "-d", "--name", name, "lnk-busybox:1", "sleep", "600")
    try:
        pid = docker(engine, "inspect", "-f", "{{.State.Pid}}", name)
        stack.agents[host].stop(signal.SIGKILL)
        stack.link(host, engine)
        stack.online(host)
        wait_for(lambda: any(row["name"] == name for row in stack.do("containers", host)), 15)
        assert docker(engine, "inspect", "-f", "{{.State.Pid}}", name) == pid
    finally:
        subprocess.run(["docker", "-H", engine, "rm", "-f", name], capture_output=True, check=False)
