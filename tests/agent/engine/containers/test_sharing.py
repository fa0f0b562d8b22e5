"""Namespaces shared with another container or the host, and which not."""

import os
import signal
import time

import pytest

from agent.engine.config import EngineConfig
from agent.engine.paths import Paths
from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine


def test_processes_of_another_container(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 61")
    seen = docker.ok("run --rm --pid container:aa busy ps")
    assert "sleep 61" in seen
    docker.ok("create --name bb --pid container:aa busy true")
    assert docker.inspect("bb")["HostConfig"]["PidMode"] == f"container:{docker.inspect('aa')['Id']}"
    docker.ok("rename aa cc")
    docker.ok("start bb")
    assert docker.ok("run --rm --init --pid container:cc busy echo fine") == "fine"


def test_the_hosts_processes(engine: RunningEngine) -> None:
    docker = engine.docker
    assert docker.ok("run --rm --pid host busy readlink /proc/self/ns/pid") != docker.ok(
        "run --rm busy readlink /proc/self/ns/pid"
    )
    docker.ok("create --name aa --pid host busy true")
    assert docker.inspect("aa")["HostConfig"]["SecurityOpt"] == ["label=disable"]


def test_memory_of_another_container(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa --ipc shareable --shm-size 1m busy sh -c 'echo hi > /dev/shm/x; sleep 60'")
    assert "hi" in docker.ok("run --rm --ipc container:aa busy sh -c 'cat /dev/shm/x; df -k /dev/shm | tail -1'")
    assert docker.ok("run --rm --ipc container:aa busy readlink /proc/self/ns/ipc") == docker.ok(
        "exec aa readlink /proc/self/ns/ipc"
    )
    assert "1024 " in docker.ok("exec aa df -k /dev/shm")


def test_memory_that_is_not_shared(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    docker.ok("create --name bb --ipc container:aa busy true")
    assert "non-shareable IPC (hint: use IpcMode:shareable for the donor container)" in docker("start bb").err
    none = docker.ok("run --rm --ipc none busy sh -c 'grep -c /dev/shm /proc/mounts; ls /dev/shm | wc -l'")
    assert none.split() == ["0", "0"]
    assert docker.ok("run --rm --ipc host busy readlink /proc/self/ns/ipc") not in docker.ok(
        "exec aa readlink /proc/self/ns/ipc"
    )


@pytest.mark.parametrize("mode", ["pid", "ipc"])
def test_with_whom_nothing_can_be_shared(engine: RunningEngine, mode: str) -> None:
    docker = engine.docker
    key = f"{mode.capitalize()}Mode"
    code, answer = docker.api(
        "POST", "/containers/create", {"Image": "busy", "Cmd": ["true"], "HostConfig": {key: "container:nosuch"}}
    )
    assert (code, answer["message"]) == (400, "No such container: nosuch")
    docker.ok("create --name aa --ipc shareable busy true")
    id_ = docker.inspect("aa")["Id"]
    docker.ok(f"create --name bb --{mode} container:aa busy true")
    code, answer = docker.api("POST", "/containers/bb/start")
    assert (code, f"container {id_} is not running" in answer["message"]) == (500, True)
    assert docker.inspect("bb")["State"]["ExitCode"] == 128


def test_the_network_of_another_container(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa -h named busy sleep 60")
    look = "sh -c 'hostname; readlink /proc/self/ns/net'"
    assert docker.ok(f"run --rm --network container:aa busy {look}").split() == docker.ok(f"exec aa {look}").split()
    docker.ok("create --name bb --network container:aa busy true")
    assert docker.inspect("bb")["HostConfig"]["NetworkMode"] == f"container:{docker.inspect('aa')['Id']}"
    code, answer = docker.api(
        "POST", "/containers/create", {"Image": "busy", "HostConfig": {"NetworkMode": "container:"}}
    )
    assert (code, "invalid container format container:<name|id>" in answer["message"]) == (400, True)


def test_no_network_at_all(engine: RunningEngine) -> None:
    docker = engine.docker
    body = {"Image": "busy", "Cmd": ["ls", "/sys/class/net"], "NetworkDisabled": True}
    assert docker.api("POST", "/containers/create?name=aa", body)[0] == 201
    assert docker.ok("start -a aa") == "lo"


def test_names_of_the_host_and_of_groups(engine: RunningEngine) -> None:
    docker = engine.docker
    own = docker.ok("run --rm -h mine --domainname example.test busy sh -c 'hostname; cat /proc/sys/kernel/domainname'")
    assert own.split() == ["mine", "example.test"]
    private = docker.ok("run --rm --cgroupns private busy grep pids /proc/self/cgroup")
    assert private.endswith(":/")


def test_what_was_shared_goes_with_the_last(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok("run -d --name aa --ipc shareable busy sleep 60")
    docker.ok("run -d --name bb --ipc container:aa busy sh -c 'echo still > /dev/shm/x; sleep 60'")
    docker.ok("rm -f aa")
    assert docker.ok("exec bb cat /dev/shm/x") == "still"
    own_engine.kill9()
    own_engine.start()
    docker.ok("rm -f bb")
    paths = Paths.of(EngineConfig(root=own_engine.data, socket=own_engine.socket))
    assert list(paths.memories.iterdir()) == []


def test_after_a_crash_of_all_each_waits_for_what_it_needs(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok("run -d --name aa --restart always --ipc shareable busy sleep 600")
    for name, options in (("b1", "--link aa:db"), ("b2", "--ipc container:aa"), ("b3", "--network container:aa")):
        docker.ok(f"run -d --name {name} --restart always {options} busy sleep 600")
    names = ("aa", "b1", "b2", "b3")
    pids = [docker.inspect(name)["State"]["Pid"] for name in names]
    own_engine.kill9()
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    own_engine.start()
    until(lambda: all(docker.inspect(name)["State"]["Status"] == "running" for name in names))
    assert "db" in docker.ok("exec b1 cat /etc/hosts")


def test_the_time_to_stop(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa --stop-timeout 1 busy sh -c 'trap : TERM; while :; do sleep 0.1; done'")
    began = time.monotonic()
    docker.ok("stop aa")
    assert time.monotonic() - began < 8
    assert docker.inspect("aa")["Config"]["StopTimeout"] == 1
    assert docker.inspect("aa")["State"]["ExitCode"] == 137
