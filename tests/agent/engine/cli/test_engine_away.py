"""The engine is killed and comes back: logs without a gap, health checks, and execs that nobody looked at."""

from typing import TYPE_CHECKING

from tests.agent.engine.cli.docker import until

if TYPE_CHECKING:
    from tests.agent.engine.conftest import RunningEngine

COUNT = "busy sh -c 'touch /ok; i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'"


def test_killed_and_started_again(own_engine: "RunningEngine") -> None:
    docker = own_engine.docker
    docker.ok(f"run -d --name aa --health-cmd 'cat /ok' --health-interval 200ms --health-retries 1 {COUNT}")
    waiting = "while [ ! -e /go ]; do sleep 0.1; done; exit 4"
    exec_id = docker.api("POST", "/containers/aa/exec", {"Cmd": ["sh", "-c", waiting]})[1]["Id"]
    assert docker.api("POST", f"/exec/{exec_id}/start", {"Detach": True})[0] == 200
    until(lambda: docker.inspect("aa")["State"]["Health"]["Status"] == "healthy")
    pid = docker.inspect("aa")["State"]["Pid"]
    own_engine.kill9()
    own_engine.start()
    found = docker.inspect("aa")
    assert (found["State"]["Pid"], found["State"]["Health"]["Status"]) == (pid, "healthy")
    assert exec_id in found["ExecIDs"]
    docker.ok("exec aa rm /ok")
    until(lambda: docker.inspect("aa")["State"]["Health"]["Status"] == "unhealthy")
    docker.ok("exec aa touch /go")
    until(lambda: not docker.api("GET", f"/exec/{exec_id}/json")[1]["Running"])
    assert docker.api("GET", f"/exec/{exec_id}/json")[1]["ExitCode"] == 4
    lines = docker.ok("logs aa").split()
    assert lines == [str(n) for n in range(1, len(lines) + 1)]
    docker.ok("rm -f aa")
