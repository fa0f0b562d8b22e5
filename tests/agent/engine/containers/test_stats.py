"""Samples: parsing, both versions of cgroups, the second sample, and what runs no more."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.engine.containers import stats
from agent.engine.kernel import cgroups
from agent.engine.kernel.cgroups import Hierarchy
from agent.engine.state.records import ContainerRecord, State, Status


def record(pid: int = 0, status: Status = Status.RUNNING, **host: Any) -> ContainerRecord:
    return ContainerRecord(
        id="a" * 64, name="a", created_ns=1, path="sh", args=(), config={}, host_config=host, image_id="", image_ref="",
        state=State(status=status, pid=pid),
    )  # fmt: skip


def test_all_cpu_time_counts_idle_too() -> None:
    assert stats.system_cpu("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 …") == (1 + 2 + 3 + 4 + 5 + 6 + 7) * 10_000_000


def test_network_without_the_loopback() -> None:
    text = "Inter-|\n face |\n    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
    assert stats.network(text) == {
        "eth0": dict(zip(stats._NETWORK, range(1, 9), strict=True)),
    }


def test_groups_of_both_versions() -> None:
    assert stats.groups("5:cpu,cpuacct:/x\n4:memory:/x:y\n") == {"cpu": "/x", "cpuacct": "/x", "memory": "/x:y"}
    assert stats.groups("0::/x/y\n") == {"": "/x/y"}


def test_a_sample_of_this_process() -> None:
    host = stats.Host.read(cgroups.detect())
    found = stats.sample(host, record(os.getpid()))
    assert found["memory_stats"]["limit"] <= host.memory
    assert found["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert found["cpu_stats"]["system_cpu_usage"] > found["cpu_stats"]["cpu_usage"]["total_usage"] / 2
    assert "networks" in found
    assert "networks" not in stats.sample(host, record(os.getpid(), NetworkMode="host"))


def test_cgroup_v2(tmp_path: Path) -> None:
    mine = stats.groups(Path("/proc/self/cgroup").read_text()).get("", "/").lstrip("/")
    group = tmp_path / mine
    group.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "cpu.stat": "usage_usec 3\nuser_usec 2\nsystem_usec 1\nnr_periods 4\nnr_throttled 5\nthrottled_usec 6\n",
        "memory.current": "100\n",
        "memory.max": "max\n",
        "memory.stat": "anon 7\nfile 8\n",
        "pids.current": "2\n",
        "pids.max": "9\n",
        "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n",
    }.items():
        (group / name).write_text(text)
    host = stats.Host(Hierarchy(2, {"": tmp_path}), memory=1000, cpus=2)
    found = stats.sample(host, record(os.getpid()))
    assert found["cpu_stats"]["cpu_usage"] == {
        "total_usage": 3000,
        "usage_in_kernelmode": 1000,
        "usage_in_usermode": 2000,
    }
    assert found["memory_stats"] == {"usage": 100, "stats": {"anon": 7, "file": 8}, "limit": 1000}
    assert found["pids_stats"] == {"current": 2, "limit": 9}
    assert found["blkio_stats"]["io_service_bytes_recursive"][0] == {"major": 8, "minor": 0, "op": "read", "value": 1}


async def test_trap_14_a_single_answer_waits_for_the_second_sample() -> None:
    given = record(os.getpid())
    found = await stats.Stats(stats.Host.read(cgroups.detect()), lambda _: given).once(given)
    assert found["preread"] < found["read"]
    before, now = found["precpu_stats"], found["cpu_stats"]
    assert now["system_cpu_usage"] > before["system_cpu_usage"] > 0
    assert now["online_cpus"] == os.cpu_count()


async def test_one_shot_does_not_wait_and_has_nothing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    given = record(os.getpid())
    monkeypatch.setattr(stats, "PERIOD", 3600)
    found = await stats.Stats(stats.Host.read(cgroups.detect()), lambda _: given).once(given, one_shot=True)
    assert found["preread"] == "0001-01-01T00:00:00Z"
    assert found["precpu_stats"]["cpu_usage"]["total_usage"] == 0


async def test_what_does_not_run_is_all_zeros() -> None:
    given = record(status=Status.EXITED)
    found = await stats.Stats(stats.Host.read(cgroups.detect()), lambda _: given).once(given)
    assert (found["read"], found["memory_stats"], found["name"]) == ("0001-01-01T00:00:00Z", {}, "/a")
    msgspec.json.encode(found)


async def test_a_stream_ends_with_the_container() -> None:
    records = [record(os.getpid()), None]
    service = stats.Stats(stats.Host.read(cgroups.detect()), lambda _: records.pop(0))
    assert len([found async for found in service.stream("a")]) == 1
