"""Orders while the link and the control plane's parts are killed at random: each effect once, none lost."""

import random
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.link.stack import Stack, wait_for
from tests.link.test_orders import docker

ORDERS = 60


@pytest.fixture
def own(scratch: Path, engine: str) -> Iterator[Stack]:
    """A control plane to be killed, with worker and beat."""
    made = Stack(scratch / f"k{uuid.uuid4().hex[:4]}")
    made.root.mkdir()
    made.start()
    made.worker.start()
    made.beat.start()
    yield made
    made.stop()


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


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_kills_in_the_middle_lose_and_repeat_nothing(own: Stack, engine: str, name: str) -> None:
    chance = random.Random(7)
    assert own.enrol("h").returncode == 0
    link = own.link("h", engine)
    own.online("h")
    since = str(time.time())
    containers = []
    made = [
        order(own, "h", "container.create", {
            "id": str(uuid.uuid4()), "name": f"{name}-{n}", "image": "lnk-busybox:1", "pull": "never", "start": True,
            "spec": {"Cmd": ["sleep", "600"], "StopSignal": "SIGKILL"},
        }) for n in range(4)
    ]  # fmt: skip
    try:
        containers = [one["result"]["engine_id"] for one in own.ended(*made, seconds=40)]
        ids, restarts = [], Counter()
        killed = Counter()

        def kill() -> None:
            which = chance.choice(["link", "link", "web", "redis", "worker"])
            killed[which] += 1
            {"link": link, "web": own.web, "redis": own.redis, "worker": own.worker}[which].kill()
            time.sleep(chance.uniform(0, 0.3))
            if which == "redis":
                own.redis_socket.unlink(missing_ok=True)
            {"link": link, "web": own.web, "redis": own.redis, "worker": own.worker}[which].start()

        for n in range(ORDERS):
            target = chance.choice(containers)
            kind = n % 3
            if kind == 0:
                ids.append(order(own, "h", "volume.create", {"name": f"{name}-v{n}"}))
            elif kind == 1:
                restarts[target] += 1
                ids.append(order(own, "h", "container.restart", {"engine_id": target, "timeout": 0}))
            else:
                ids.append(order(own, "h", "container.create", {
                    "id": str(uuid.uuid4()), "image": "lnk-busybox:1", "pull": "never", "start": False,
                    "spec": {"Labels": {"run": name}},
                }))  # fmt: skip
            time.sleep(chance.uniform(0, 0.25))
            if n % 5 == 4:
                kill()
        if link.process is None or link.process.poll() is not None:
            link.start()
        ended = own.ended(*ids, seconds=90)
        assert [one for one in ended if one["state"] != "done"] == [], killed
        assert killed["link"] >= 2
        volumes = docker(engine, "volume", "ls", "-q", "--filter", f"name={name}-v").split()
        assert len(volumes) == ORDERS // 3
        rows = docker(engine, "ps", "-aq", "--filter", f"label=run={name}").split()
        assert len(rows) == ORDERS // 3
        for target, count in restarts.items():
            events = docker(engine, "events", "--since", since, "--until", str(time.time()), "--filter",
                            f"container={target}", "--filter", "event=restart", "--format", "{{.Action}}")  # fmt: skip
            assert len(events.split()) == count, (target, count, killed)
    finally:
        for row in [*containers, *docker(engine, "ps", "-aq", "--filter", f"label=run={name}").split()]:
            docker(engine, "rm", "-f", row)
        for volume in docker(engine, "volume", "ls", "-q", "--filter", f"name={name}").split():
            docker(engine, "volume", "rm", volume)


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
