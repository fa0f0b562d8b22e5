"""Containers outlive the engine: kill -9 and restart leave pids, logs and exit codes whole."""

import os
import signal
import time

from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine


def test_it_works(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok("run -d --name on -p 8123:80 busy sh -c 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done'")
    docker.ok("run -d --name off busy sh -c 'sleep 1.5; exit 5'")
    docker.ok("run -d --name gone --rm busy sleep 1.5")
    docker.ok("run -d --name again --restart on-failure:1 busy sh -c 'sleep 1.5; exit 6'")
    before = docker.inspect("on")["State"]
    off = docker.inspect("off")["State"]
    own_engine.kill9()
    time.sleep(2)
    own_engine.start()
    after = docker.inspect("on")["State"]
    assert (after["Pid"], after["StartedAt"], after["Running"]) == (before["Pid"], before["StartedAt"], True)
    state = docker.inspect("off")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 5)
    assert off["StartedAt"] < state["FinishedAt"]
    told = docker.ok(f"events --since 1 --until {time.time() + 0.1:.9f} -f container=off --format {{{{.Action}}}}")
    assert told.split() == ["create", "start", "die"], "the engine before remembers too"
    assert docker("inspect gone").code != 0
    until(lambda: docker.inspect("again")["RestartCount"] == 1)
    until(lambda: docker.inspect("again")["State"]["Status"] == "exited")
    assert docker.inspect("again")["State"]["ExitCode"] == 6
    docker.ok("kill on")
    lines = [int(line) for line in docker.ok("logs on").split()]
    assert lines == list(range(len(lines)))
    assert len(lines) > 50


def test_the_true_time_of_an_exit(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok("run -d --name aa busy sh -c 'sleep 0.5; exit 3'")
    own_engine.kill9()
    time.sleep(2)
    back = time.time()
    own_engine.start()
    span = f"--since {back - 30:.0f} --until {time.time() + 1:.0f}"
    found = docker.ok(f"events {span} --filter event=die --format {{{{.TimeNano}}}}")
    assert len(found.split()) == 1
    assert int(found) / 1e9 < back - 0.5


def test_sigterm_leaves_containers_running(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    pid = docker.inspect("aa")["State"]["Pid"]
    own_engine.restart()
    assert docker.inspect("aa")["State"]["Pid"] == pid
    assert docker.ok("exec aa echo hi") == "hi"


def test_unknown_end_is_255(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    pid = docker.inspect("aa")["State"]["Pid"]
    own_engine.kill9()
    exits = own_engine.data / "containers" / only_id(own_engine) / "exit"
    os.kill(pid, signal.SIGKILL)
    until(lambda: list(exits.iterdir()))
    for file in exits.iterdir():
        file.unlink()
    own_engine.start()
    state = docker.inspect("aa")["State"]
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 255, 0)


def only_id(engine: RunningEngine) -> str:
    """The only container's id, from the data root: the engine is down."""
    return next((engine.data / "containers").iterdir()).name
