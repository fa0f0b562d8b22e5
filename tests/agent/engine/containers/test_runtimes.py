"""The same life under crun and under runc, and what only a real runtime shows: limits, OOM, init."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from agent.engine.runtime import crun
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


def test_another_runtime_for_one_container(either: RunningEngine) -> None:
    docker = either.docker
    info = docker.api("GET", "/info")[1]
    (other,) = {"crun", "runc"} - {info["DefaultRuntime"]}
    assert set(info["Runtimes"]) == {"crun", "runc"}
    docker.ok(f"run -d --name aa --runtime {other} busy sleep 60")
    assert docker.inspect("aa")["HostConfig"]["Runtime"] == other
    assert docker.ok("exec aa echo hi") == "hi"
    docker.ok("pause aa")
    docker.ok("unpause aa")
    docker.ok("update --cpu-shares 200 aa")
    either.kill9()
    either.start()
    assert docker.ok("exec aa echo still") == "still"
    docker.ok("restart -t 0 aa")
    docker.ok("rm -f aa")
    assert docker.ok("run --rm --runtime io.containerd.runc.v2 busy echo fine") == "fine"
    refused = docker("run --rm --runtime nosuch busy true")
    assert (refused.code, "Unknown runtime specified nosuch" in refused.err) == (125, True)


def test_v2_old_runtimes_are_warned_of(either: RunningEngine) -> None:
    warnings = "\n".join(either.docker.api("GET", "/info")[1]["Warnings"] or [])
    for name, path in (("crun", shutil.which("crun")), ("runc", shutil.which("runc"))):
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=True).stdout
        version = said.split("version ", 1)[1].split()[0]
        assert (f"{name} {version} is older" in warnings) == bool(crun.warnings(name, version))


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


def test_checkpoints_are_refused_as_without_experiments(either: RunningEngine) -> None:
    docker = either.docker
    docker.ok("create --name aa busy true")
    body = {"CheckpointID": "x"}
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/x")):
        code, answer = docker.api(method, f"/containers/aa/checkpoints{path}", body if method == "POST" else None)
        assert (code, "experimental feature is disabled" in answer["message"]) == (501, True)
    assert docker.api("POST", "/containers/aa/start?checkpoint=x")[0] == 400
