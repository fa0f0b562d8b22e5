"""kill -9 at random under load: what was answered is true, pids and logs of running containers are whole.

``LONGSHORE_TEST_KILLS`` sets how often (a short form by default).
"""

import os
import random
import threading
import time
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import Docker, until
from tests.agent.engine.conftest import RunningEngine

KILLS = int(os.environ.get("LONGSHORE_TEST_KILLS", "4"))
COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done"


class Worker(threading.Thread):
    """Creates, starts, stops and removes, and notes what it was told."""

    def __init__(self, docker: Docker, number: int) -> None:
        super().__init__()
        self.docker, self.number, self.over = docker, number, False
        self.told: dict[str, str] = {}

    def run(self) -> None:
        turn = 0
        while not self.over:
            turn += 1
            name = f"w{self.number}-{turn}"
            try:
                self._life(name, turn)
            except (OSError, RuntimeError):
                # The answer did not come: either outcome is right.
                self.told.pop(name, None)
                time.sleep(0.05)

    def _life(self, name: str, turn: int) -> None:
        body = {"Image": "busy", "Cmd": ["sleep", "1000"]}
        steps = [("created", "POST", f"/containers/create?name={name}", body)]
        steps.append(("running", "POST", f"/containers/{name}/start", None))
        if turn % 3 == 0:
            steps.append(("exited", "POST", f"/containers/{name}/stop?t=0", None))
        if turn % 4 == 0:
            steps.append(("", "DELETE", f"/containers/{name}?force=1", None))
        for state, method, path, sent in steps:
            self.told.pop(name, None)
            code, answer = self.docker.api(method, path, sent)
            if code >= 300:
                raise RuntimeError(answer)
            self.told[name] = state


@pytest.mark.chaos
def test_it_works(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    pids = {}
    for name in ("one", "two"):
        docker.ok(f'run -d --name {name} busy sh -c "{COUNT}"')
        pids[name] = docker.inspect(name)["State"]["Pid"]
    workers = [Worker(docker, number) for number in range(3)]
    for worker in workers:
        worker.start()
    for _ in range(KILLS):
        time.sleep(random.uniform(0.3, 1.5))
        own_engine.kill9()
        own_engine.start()
    time.sleep(0.5)
    for worker in workers:
        worker.over = True
    for worker in workers:
        worker.join()
    states = {row["Names"][0][1:]: row["State"] for row in docker.api("GET", "/containers/json?all=1")[1]}
    told = {name: state for worker in workers for name, state in worker.told.items()}
    assert len(told) > KILLS
    assert {name: states.get(name, "") for name in told} == told
    for name, pid in pids.items():
        assert docker.inspect(name)["State"]["Pid"] == pid
        lines = [int(line) for line in docker.ok(f"logs {name}").split()]
        assert lines == list(range(len(lines)))
    for name, state in states.items():
        if state == "running":
            assert Path(f"/proc/{docker.inspect(name)['State']['Pid']}").exists()
    running = sum(state == "running" for state in states.values())
    links = len(own_engine.namespace.ip("-o", "link", "show", "type", "veth").splitlines())
    assert links == running
    docker.clean()
    until(lambda: not own_engine.namespace.ip("-o", "link", "show", "type", "veth"))
    until(lambda: f"{own_engine.data}/snapshots/" not in Path("/proc/self/mountinfo").read_text())
