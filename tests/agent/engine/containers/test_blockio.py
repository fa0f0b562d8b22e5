"""Weights and throttles of disks, the parent of a container's cgroup, and what an update may change."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.engine.containers.options import blockio, hostconfig, limits
from agent.engine.errors import Invalid, System
from agent.engine.kernel import cgroups, quota
from tests.agent.engine.conftest import RunningEngine

MACHINE = limits.Machine(cpus=2, memory=1 << 30, online="0-1")
V2 = limits.Machine(cpus=2, memory=1 << 30, online="0-1", memory_v1=False, weights=True, realtime=False)
NO_WEIGHTS = limits.Machine(cpus=2, memory=1 << 30, online="0-1", weights=False)
on_v1 = pytest.mark.skipif(cgroups.detect().version != 1, reason="reads files of cgroup v1")


def disk() -> str:
    """The disk that holds the machine's root."""
    device = os.makedev(os.major(Path("/").stat().st_dev), 0)
    found = [path for path in Path("/dev").iterdir() if path.is_block_device() and path.stat().st_rdev == device]
    if not found:
        pytest.skip("this machine's root lies on no disk of its own")
    return str(found[0])


@pytest.mark.parametrize(
    ("host", "machine", "words"),
    [
        ({"BlkioWeight": 300}, NO_WEIGHTS, "Block I/O weight or the cgroup is not mounted. Weight discarded"),
        ({"BlkioWeightDevice": [{"Path": "/x", "Weight": 300}]}, NO_WEIGHTS, "Weight-device discarded"),
        ({"CpuPercent": 5}, MACHINE, "CPU percent. Percent discarded"),
        ({"KernelMemory": 64 << 20}, MACHINE, "kernel memory limit is deprecated"),
        ({"OomKillDisable": True}, MACHINE, "OOM killer is disabled"),
        ({"OomKillDisable": True}, V2, "OomKillDisable discarded"),
        ({"MemorySwappiness": 5}, V2, "Memory swappiness discarded"),
    ],
)
def test_what_the_kernel_has_not_is_left_out_with_a_warning(
    host: dict[str, Any], machine: limits.Machine, words: str
) -> None:
    assert [words in warning for warning in limits.check(host, machine)] == [True]


@pytest.mark.parametrize(
    ("host", "machine", "words"),
    [
        ({"BlkioWeight": 5}, MACHINE, "Range of blkio weight is from 10 to 1000"),
        ({"BlkioWeightDevice": [{"Path": "/x", "Weight": 5}]}, MACHINE, "Range of blkio weight"),
        ({"BlkioDeviceReadBps": [{"Rate": 5}]}, MACHINE, "wants a Path and a number"),
        ({"BlkioDeviceReadBps": [{"Path": "/x", "Rate": -5}]}, MACHINE, "wants a Path and a number"),
        ({"CpuShares": -5}, MACHINE, r"invalid CPU shares \(-5\)"),
        ({"CpuRealtimePeriod": 5}, V2, "kernel does not support CPU real-time scheduler"),
        ({"CpuRealtimePeriod": 5, "CpuRealtimeRuntime": 6}, MACHINE, "cannot be higher than cpu real-time period"),
        ({"CpusetCpus": "x"}, MACHINE, "Invalid value x for cpuset cpus: invalid format: x"),
    ],
)
def test_limits_that_cannot_be(host: dict[str, Any], machine: limits.Machine, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        limits.check(host, machine)


def test_devices_become_numbers(tmp_path: Path) -> None:
    os.mknod(tmp_path / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 200))
    entry = {"Path": f"{tmp_path}/disk", "Rate": 9}
    found = blockio.resources({"BlkioWeight": 300, "BlkioDeviceWriteIOps": [entry]})
    assert found == {"weight": 300, "throttleWriteIOPSDevice": [{"major": 7, "minor": 200, "rate": 9}]}
    with pytest.raises(System, match="stat /dev/nosuch: no such file or directory"):
        blockio.resources({"BlkioDeviceReadBps": [{"Path": "/dev/nosuch", "Rate": 9}]})
    with pytest.raises(System, match="is not a block device"):
        blockio.resources({"BlkioDeviceReadBps": [{"Path": "/dev/null", "Rate": 9}]})


@on_v1
def test_throttles(engine: RunningEngine) -> None:
    path = disk()
    options = " ".join(
        f"--device-{way}-{what} {path}:{rate}"
        for way, what, rate in (
            ("read", "bps", "1mb"),
            ("write", "bps", "2mb"),
            ("read", "iops", 30),
            ("write", "iops", 40),
        )
    )
    look = "cd /sys/fs/cgroup/blkio; cut -d' ' -f2 " + " ".join(
        f"blkio.throttle.{name}_device" for name in ("read_bps", "write_bps", "read_iops", "write_iops")
    )
    docker = engine.docker
    docker.ok(f'create --name aa {options} busy sh -c "{look}"')
    assert docker.inspect("aa")["HostConfig"]["BlkioDeviceWriteIOps"] == [{"Path": path, "Rate": 40}]
    assert docker.ok("start -a aa").split() == ["1048576", "2097152", "30", "40"]
    docker.ok("create --name bb --device-read-bps /dev/nosuch:1mb busy true")
    assert "stat /dev/nosuch: no such file or directory" in docker("start bb").err


@pytest.fixture
def parent() -> Iterator[str]:
    """A cgroup for containers, taken away afterwards."""
    name = f"/ls-test-parent-{os.getpid()}"
    yield name
    assert cgroups.remove(cgroups.detect(), name, patience=5)


@on_v1
@pytest.mark.parametrize("written", ["{}/inner", "..{}/inner/", "{}/x/../inner"])
def test_a_parent_of_ones_own(engine: RunningEngine, parent: str, written: str) -> None:
    docker = engine.docker
    text = written.format(parent)
    docker.ok(f"run -d --name aa --cgroup-parent {text} busy sleep 60")
    found = docker.inspect("aa")
    assert found["HostConfig"]["CgroupParent"] == text
    groups = Path(f"/proc/{found['State']['Pid']}/cgroup").read_text()
    assert f":pids:{parent}/inner/{found['Id']}\n" in groups
    assert docker.ok("top aa")
    docker.ok("rm -f aa")
    directory = cgroups.detect().directory(f"{parent}/inner", "pids")
    assert directory is not None
    docker.ok("run --rm busy true")
    assert [path.name for path in directory.iterdir() if path.is_dir()] == []


@on_v1
def test_update_changes_what_runs(engine: RunningEngine) -> None:
    docker = engine.docker
    path = disk()
    docker.ok("run -d --name aa busy sleep 60")
    body = {"BlkioDeviceReadBps": [{"Path": path, "Rate": 1 << 20}], "CpuShares": 100, "PidsLimit": 50}
    assert docker.api("POST", "/containers/aa/update", body) == (200, {"Warnings": None})
    look = "cd /sys/fs/cgroup; cat cpu/cpu.shares pids/pids.max; cut -d' ' -f2 blkio/blkio.throttle.read_bps_device"
    assert docker.ok(f'exec aa sh -c "{look}"').split() == ["100", "50", "1048576"]
    docker.ok("update --restart on-failure:3 --cpus 0.5 aa")
    host = docker.inspect("aa")["HostConfig"]
    assert (host["RestartPolicy"]["MaximumRetryCount"], host["NanoCpus"]) == (3, 500_000_000)
    assert "CPU Period cannot be updated as NanoCPUs has already been set" in docker("update --cpu-period 5000 aa").err
    assert docker.api("POST", "/containers/aa/update", {"PidsLimit": 0})[0] == 200
    assert docker.ok("exec aa cat /sys/fs/cgroup/pids/pids.max") == str(1 << 22)


def test_the_size_of_a_layer(engine: RunningEngine) -> None:
    docker = engine.docker
    body: dict[str, Any] = {"Image": "busy", "HostConfig": {"StorageOpt": {"nosuch": "1G"}}}
    code, answer = docker.api("POST", "/containers/create", body)
    assert (code, answer["message"]) == (400, "Unknown option nosuch")
    body["HostConfig"]["StorageOpt"] = {"size": "8M"}
    body["Cmd"] = ["dd", "if=/dev/zero", "of=/x", "bs=1M", "count=20"]
    code, answer = docker.api("POST", "/containers/create?name=aa", body)
    if quota.works(engine.data):
        assert "No space left on device" in docker("start -a aa").err
    else:
        words = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
        assert (code, answer["message"]) == (400, words)


@pytest.mark.parametrize(("text", "size"), [("10G", 10 << 30), ("1.5m", 3 << 19), ("512", 512), ("1GiB", 1 << 30)])
def test_sizes_in_words(text: str, size: int) -> None:
    assert hostconfig.layer_size({"size": text}) == size
    with pytest.raises(Invalid, match="invalid size: 'much'"):
        hostconfig.layer_size({"size": "much"})


def test_memory_is_updated_with_its_swap(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    code, answer = docker.api("POST", "/containers/aa/update", {"Memory": 64 << 20})
    assert (code, "update the memoryswap at the same time" in answer["message"]) == (409, True)
    docker.ok("update -m 64m --memory-swap -1 --memory-reservation 32m aa")
    host = docker.inspect("aa")["HostConfig"]
    assert (host["Memory"], host["MemoryReservation"], host["MemorySwap"]) == (64 << 20, 32 << 20, -1)


def test_update_leaves_be_what_only_a_create_sets(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("create --name aa busy true")
    before = json.dumps(docker.inspect("aa")["HostConfig"])
    assert docker.api("POST", "/containers/aa/update", {"MemorySwappiness": 5, "OomKillDisable": True})[0] == 200
    assert json.dumps(docker.inspect("aa")["HostConfig"]) == before
    assert docker.api("POST", "/containers/aa/update", {"Privileged": True})[0] == 400
