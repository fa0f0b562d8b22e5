"""Start, stop, kill, pause, rename, restart, wait, remove, update, top, stats."""

import json

import pytest

from tests.agent.engine.cli.docker import Docker, until

TRAP = """busy sh -c 'trap "echo term; exit 3" TERM; echo up; while :; do sleep 0.05; done'"""


def state(docker: Docker, name: str = "aa") -> str:
    return str(docker.inspect(name)["State"]["Status"])


@pytest.mark.both_clis
def test_stop_by_signal_and_start_again(docker: Docker) -> None:
    docker.ok(f"run -d --name aa {TRAP}")
    until(lambda: "up" in docker.ok("logs aa"))
    docker.ok("stop aa")
    found = docker.inspect("aa")["State"]
    assert (found["Status"], found["ExitCode"]) == ("exited", 3)
    docker.ok("start aa")
    assert state(docker) == "running"
    assert docker.api("POST", "/containers/aa/start")[0] == 304


def test_stop_kills_what_does_not_listen(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sleep 600")
    docker.ok("stop -t 0 aa")
    assert docker.inspect("aa")["State"]["ExitCode"] == 137


@pytest.mark.both_clis
def test_pause_and_unpause(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sleep 600")
    docker.ok("pause aa")
    assert state(docker) == "paused"
    assert "is already paused" in docker("pause aa").err
    assert "(Paused)" in docker.ok("ps")
    docker.ok("unpause aa")
    assert state(docker) == "running"


def test_rename_restart_kill_wait_rm(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sleep 600")
    docker.ok("rename aa bb")
    first = docker.inspect("bb")["State"]["Pid"]
    docker.ok("restart -t 0 bb")
    assert docker.inspect("bb")["State"]["Pid"] != first
    waiting = docker.start("wait bb")
    docker.ok("kill -s KILL bb")
    out, _ = waiting.communicate(timeout=8)
    assert out == b"137\n"
    docker.ok("rm bb")
    assert "No such container: bb" in docker("rm bb").err


def test_remove_of_what_runs(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sleep 600")
    assert "You cannot remove a running container" in docker("rm aa").err or "cannot remove" in docker("rm aa").err
    docker.ok("rm -f aa")
    assert docker.ok("ps -aq") == ""


def test_a_name_that_is_taken(docker: Docker) -> None:
    docker.ok("create --name aa busy")
    done = docker("create --name aa busy")
    assert done.code != 0
    assert "already in use by container" in done.err


@pytest.mark.both_clis
def test_top_and_stats(docker: Docker) -> None:
    docker.ok("run -d --name aa -m 64m busy sleep 600")
    assert "sleep 600" in docker.ok("top aa")
    assert docker.ok("top aa -o pid,args").split("\n")[0].split() == ["PID", "COMMAND"]
    row = docker.ok("stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDs}}' aa")
    assert row.startswith("aa ")
    assert "/ 64MiB" in row


def test_update_of_limits(docker: Docker) -> None:
    docker.ok("run -d --name aa -m 64m --memory-swap 64m busy sleep 600")
    docker.ok("update -m 128m --memory-swap 128m --restart no aa")
    assert docker.inspect("aa")["HostConfig"]["Memory"] == 128 << 20


def test_restart_policy_ends_after_its_count(docker: Docker) -> None:
    docker.ok("run -d --name aa --restart on-failure:2 busy sh -c 'exit 5'")
    until(lambda: docker.inspect("aa")["RestartCount"] == 2 and state(docker) == "exited")
    assert docker.inspect("aa")["State"]["ExitCode"] == 5


def test_trap_11_health(docker: Docker) -> None:
    docker.ok("run -d --name aa --health-cmd 'cat /ok' --health-interval 200ms --health-retries 2 busy sleep 600")
    assert docker.inspect("aa")["State"]["Health"]["Status"] == "starting"
    docker.ok("exec aa touch /ok")
    until(lambda: docker.inspect("aa")["State"]["Health"]["Status"] == "healthy")
    assert "(healthy)" in docker.ok("ps")
    docker.ok("exec aa rm /ok")
    until(lambda: docker.inspect("aa")["State"]["Health"]["Status"] == "unhealthy")
    found = docker.inspect("aa")["State"]["Health"]
    assert found["Log"][-1]["ExitCode"] == 1
    assert len(found["Log"]) <= 5


def test_an_out_of_memory_kill_is_told(docker: Docker) -> None:
    docker("run --name aa -m 8m --memory-swap 8m busy sh -c 'tail /dev/zero'")
    found = docker.inspect("aa")["State"]
    assert (found["OOMKilled"], found["ExitCode"]) == (True, 137)


def test_prune(docker: Docker) -> None:
    docker.ok("create --name aa -l k=v busy")
    docker.ok("run --name bb busy true")
    docker.ok("run -d --name cc busy sleep 600")
    docker.ok("container prune -f --filter label!=k")
    assert set(docker.ok("ps -a --format '{{.Names}}'").split()) == {"aa", "cc"}
    status, answer = docker.api("POST", "/containers/prune?filters=%7B%22nosuch%22%3A%5B%22x%22%5D%7D")
    assert status == 400
    assert "nosuch" in answer["message"]


def test_trap_7_shapes_of_an_inspection(docker: Docker) -> None:
    docker.ok("run -d --name aa --expose 80 busy sleep 600")
    found = docker.inspect("aa")
    assert found["NetworkSettings"]["Ports"] == {"80/tcp": None}
    assert isinstance(found["NetworkSettings"]["Networks"]["bridge"], dict)
    assert found["HostConfig"]["MemorySwappiness"] is None
    assert found["ExecIDs"] is None
    body = {"Image": "busy", "HostConfig": dict.fromkeys(found["HostConfig"])}
    assert docker.api("POST", "/containers/create?name=bb", body)[0] == 201
    json.dumps(found)
