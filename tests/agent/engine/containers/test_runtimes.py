"""The same life under crun and under runc, and what only a real runtime shows: limits, OOM, init."""

from collections.abc import Iterator

import pytest

from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine, running_engine


@pytest.fixture(params=["crun", "runc"], scope="module")
def either(request: pytest.FixtureRequest) -> Iterator[RunningEngine]:
    with running_engine("--runtime", request.param) as engine:
        yield engine


@pytest.fixture(autouse=True)
def tidy(either: RunningEngine) -> Iterator[None]:
    yield
    either.docker.clean()


def test_a_life(either: RunningEngine) -> None:
    docker = either.docker
    docker.ok("run -d --name aa busy sleep 60")
    assert docker.ok("exec aa echo hi") == "hi"
    docker.ok("exec -d aa touch /made")
    docker.ok("pause aa")
    assert docker.inspect("aa")["State"]["Status"] == "paused"
    docker.ok("unpause aa")
    pid = docker.inspect("aa")["State"]["Pid"]
    either.kill9()
    either.start()
    assert docker.inspect("aa")["State"]["Pid"] == pid
    docker.ok("exec aa ls /made")
    docker.ok("stop -t 0 aa")
    docker.ok("start aa")
    docker.ok("restart -t 0 aa")
    docker.ok("rm -f aa")


def test_codes(either: RunningEngine) -> None:
    assert [either.docker(f"run --rm busy {it}").code for it in ("nosuch", "/tmp", "sh -c 'exit 7'")] == [127, 126, 7]


def test_limits_seen_inside_and_changed(either: RunningEngine) -> None:
    docker = either.docker
    look = "sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max'"
    docker.ok("run -d --name aa -m 64m busy sleep 60")
    assert docker.ok(f"exec aa {look}") == str(64 << 20)
    docker.ok("update -m 32m --memory-swap 32m aa")
    assert docker.ok(f"exec aa {look}") == str(32 << 20)


def test_out_of_memory(either: RunningEngine) -> None:
    docker = either.docker
    docker.ok("run -d --name aa -m 20m --memory-swap 20m busy tail /dev/zero")
    until(lambda: docker.inspect("aa")["State"]["Status"] == "exited")
    state = docker.inspect("aa")["State"]
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)


def test_init_is_the_first_process(either: RunningEngine) -> None:
    assert "docker-init" in either.docker.ok("run --rm --init busy cat /proc/1/cmdline")


def test_the_policy_restarts_and_a_stop_ends_it(either: RunningEngine) -> None:
    docker = either.docker
    docker.ok("run -d --name aa --restart always busy sh -c 'exit 3'")
    until(lambda: docker.inspect("aa")["RestartCount"] >= 2)
    docker.ok("stop aa")
    assert docker.inspect("aa")["State"]["Status"] == "exited"
    count = docker.inspect("aa")["RestartCount"]
    docker.ok("rm aa")
    assert count >= 2
