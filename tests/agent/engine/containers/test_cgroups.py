"""Limits, figures, pause and OOM by real cgroups: of this machine, and of pure v2 by ``tests/vm.sh``."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.engine.kernel import cgroups
from tests.agent.engine.conftest import RunningEngine

pytestmark = pytest.mark.cgroups
VERSION = cgroups.detect().version


def inside(engine: RunningEngine, name: str, v1: str, v2: str) -> str:
    """One of a container's own cgroup files, as it sees it."""
    return engine.docker.ok(f"exec {name} cat /sys/fs/cgroup/{v1 if VERSION == 1 else v2}")


def until(check: Callable[[], Any], seconds: float = 30) -> Any:
    ends = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.2)
    return found


def sample(engine: RunningEngine, name: str) -> dict[str, Any]:
    """Two samples taken by the engine, the second with the first before it."""
    status, answer = engine.docker.api("GET", f"/containers/{name}/stats?stream=0")
    assert status == 200
    found: dict[str, Any] = answer
    return found


def test_smoke_limits_are_in_force_and_change(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa -m 64m --memory-swap 64m --cpus 0.5 --cpu-shares 512 --pids-limit 50 busy sleep 600")
    assert inside(engine, "aa", "memory/memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert inside(engine, "aa", "pids/pids.max", "pids.max") == "50"
    assert inside(engine, "aa", "cpu/cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert inside(engine, "aa", "cpu/cpu.shares", "cpu.weight") == ("512" if VERSION == 1 else "20")
    docker.ok("update -m 128m --memory-swap 128m --cpus 0.25 --pids-limit 60 aa")
    assert inside(engine, "aa", "memory/memory.limit_in_bytes", "memory.max") == str(128 << 20)
    assert inside(engine, "aa", "pids/pids.max", "pids.max") == "60"
    assert inside(engine, "aa", "cpu/cpu.cfs_quota_us", "cpu.max").split()[0] == "25000"
    assert docker.inspect("aa")["HostConfig"]["Memory"] == 128 << 20


def test_a_cpuset(engine: RunningEngine) -> None:
    engine.docker.ok("run -d --name aa --cpuset-cpus 0 busy sleep 600")
    assert inside(engine, "aa", "cpuset/cpuset.cpus", "cpuset.cpus.effective") == "0"
    assert engine.docker.ok("exec aa nproc") == "1"


def test_memory_is_reserved_and_swap_limited(engine: RunningEngine) -> None:
    engine.docker.ok("run -d --name aa -m 64m --memory-reservation 32m --memory-swap 96m busy sleep 600")
    assert inside(engine, "aa", "memory/memory.soft_limit_in_bytes", "memory.low") == str(32 << 20)
    swap = inside(engine, "aa", "memory/memory.memsw.limit_in_bytes", "memory.swap.max")
    assert swap == str((96 if VERSION == 1 else 32) << 20)


def test_smoke_an_out_of_memory_kill_is_told(engine: RunningEngine) -> None:
    engine.docker("run --name aa -m 16m --memory-swap 16m busy tail /dev/zero", timeout=90)
    found = engine.docker.inspect("aa")["State"]
    assert (found["OOMKilled"], found["ExitCode"]) == (True, 137)


def test_a_child_killed_for_memory_is_told(engine: RunningEngine) -> None:
    engine.docker.ok("run -d --name aa -m 24m --memory-swap 24m busy sh -c 'tail /dev/zero; sleep 600'")
    until(lambda: "Killed" in engine.docker("logs aa").err)
    assert engine.docker.inspect("aa")["State"]["Running"]
    engine.docker.ok("stop -t 0 aa")
    assert engine.docker.inspect("aa")["State"]["OOMKilled"]


def oom_events(engine: RunningEngine, name: str) -> int:
    until_now = f"--since 1 --until {time.time() + 0.001:.3f}"
    return len(engine.docker.ok(f"events {until_now} --filter container={name} --filter event=oom").splitlines())


def test_smoke_an_out_of_memory_kill_is_told_while_the_container_runs_on(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok("run -d --name aa -m 32m --memory-swap 32m busy sleep 600")
    docker.ok("run -d --name bb busy sleep 600")
    hog = "exec aa sh -c 'head -c 200m /dev/zero | tail; true'"

    def told() -> int:
        return oom_events(own_engine, "aa")

    docker(hog)
    until(told)
    state = docker.inspect("aa")["State"]
    assert (state["Running"], state["OOMKilled"]) == (True, True)
    own_engine.kill9()
    own_engine.start()
    before = told()
    docker(hog)
    until(lambda: told() > before)
    assert docker.inspect("aa")["State"]["Running"]
    assert oom_events(own_engine, "bb") == 0
    docker.ok("restart -t 0 aa")
    assert not docker.inspect("aa")["State"]["OOMKilled"]


def test_smoke_pause_stops_the_clock_of_a_process(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sh -c 'i=0; while true; do i=$((i+1)); echo $i > /count; sleep 0.05; done'")
    count = Path(f"/proc/{docker.inspect('aa')['State']['Pid']}/root/count")
    until(count.exists)
    docker.ok("pause aa")
    before = count.read_text()
    time.sleep(0.5)
    assert count.read_text() == before
    assert docker.inspect("aa")["State"]["Status"] == "paused"
    docker.ok("unpause aa")
    until(lambda: count.read_text() not in ("", before))


def test_smoke_figures(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa -m 64m busy sh -c 'head -c 8000000 /dev/zero > /dev/shm/x; while true; do :; done'")
    time.sleep(1)
    found = sample(engine, "aa")
    memory, cpu, before = found["memory_stats"], found["cpu_stats"], found["precpu_stats"]
    assert memory["limit"] == 64 << 20
    assert 7_000_000 < memory["usage"] < 40_000_000
    assert found["pids_stats"]["current"] == 1
    used = cpu["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    all_of_it = cpu["system_cpu_usage"] - before["system_cpu_usage"]
    assert 0 < used <= all_of_it * 1.1
    assert cpu["online_cpus"] == os.cpu_count()
    assert ("inactive_file" if VERSION == 2 else "total_inactive_file") in memory["stats"]
    assert docker.ok("stats --no-stream --format '{{.MemUsage}}' aa").endswith("/ 64MiB")


def test_a_fork_bomb_meets_its_limit(engine: RunningEngine) -> None:
    bomb = "i=0; while [ $i -lt 40 ]; do sleep 30 & i=$((i+1)); done; wait"
    engine.docker.ok(f"run -d --name aa --pids-limit 20 busy sh -c '{bomb}'")
    until(lambda: "can't fork" in engine.docker("logs aa").err)
    assert engine.docker.api("GET", "/_ping")[0] == 200


def test_nothing_is_left_of_the_groups(engine: RunningEngine) -> None:
    id_ = engine.docker.ok("run -d --name aa busy sleep 600")
    hierarchy = cgroups.detect()
    roots = list(dict.fromkeys(hierarchy.roots.values()))
    assert any(list(root.glob(f"**/*{id_}*")) for root in roots)
    engine.docker.ok("rm -f aa")
    until(lambda: not any(list(root.glob(f"**/*{id_}*")) for root in roots))
