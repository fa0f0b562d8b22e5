"""What a default container can do, by the ids of the hostile-inputs table (S1–S9, S13, V1)."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from agent.engine.containers.options import security
from tests.agent.engine.conftest import RunningEngine

ELEVEN = sum(1 << security.KERNEL_CAPABILITIES.index(name) for name in security.DEFAULT_CAPABILITIES)
STATUS = "grep -E '^(Cap...|NoNewPrivs|Seccomp):' /proc/self/status"


def status(text: str) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in text.splitlines())


def capabilities(found: dict[str, str]) -> list[int]:
    return [int(found[f"Cap{kind}"], 16) for kind in ("Bnd", "Prm", "Eff", "Inh", "Amb")]


def test_s1_the_default_container(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    for command in (f"run --rm busy {STATUS}", f"exec aa {STATUS}"):
        found = status(docker.ok(command))
        assert capabilities(found) == [ELEVEN, ELEVEN, ELEVEN, 0, 0]
        assert (found["Seccomp"], found["NoNewPrivs"]) == ("2", "0")
    for command in (f"run --rm -u 1000 busy {STATUS}", f"exec -u 1000 aa {STATUS}"):
        assert capabilities(status(docker.ok(command))) == [ELEVEN, 0, 0, 0, 0]


def test_s2_capabilities_added_and_dropped(engine: RunningEngine) -> None:
    docker = engine.docker
    assert capabilities(status(docker.ok(f"run --rm --cap-drop ALL busy {STATUS}"))) == [0] * 5
    every = capabilities(status(docker.ok(f"run --rm --cap-add ALL busy {STATUS}")))
    assert every[0] == every[2] > ELEVEN
    refused = docker("run --rm --cap-add BOGUS busy true")
    assert (refused.code, "unknown capability" in refused.err) == (125, True)


@pytest.mark.parametrize(
    "command",
    [
        "mount -t tmpfs x /tmp",
        "unshare -U true",
        "unshare -m true",
        "dmesg",
        "hostname other",
        "swapoff -a",
        "reboot -f",
        "mknod /tmp/sda b 8 0",
        "chroot /proc/1/root true && umount /proc",
    ],
)
def test_s3_calls_that_are_denied(engine: RunningEngine, command: str) -> None:
    assert engine.docker(f"run --rm busy sh -c '{command}'").code != 0


def test_s4_masked_and_read_only_paths(engine: RunningEngine) -> None:
    look = "for f in %s; do [ -e $f ] || continue; [ -d $f ] && ls -A $f | wc -l || stat -c %%t:%%T $f; done"
    seen = engine.docker.ok(f"run --rm busy sh -c '{look % ' '.join(security.DOCKER_MASKED + security._ALSO_MASKED)}'")
    assert set(seen.split()) <= {"0", "1:3"}
    assert "1:3" in seen
    # In every one of them the first file that can be opened for writing but for the mount.
    write = (
        "for f in %s; do [ -e $f ] || continue; [ -d $f ] && f=$(find $f -type f -perm -200 | head -n 1);"
        " [ -z $f ] || (echo 1 > $f) 2>&1; done; true"
    )
    paths = (*security.DOCKER_READONLY, "/proc/asound")
    lines = engine.docker.ok(f"run --rm busy sh -c '{write % ' '.join(paths)}'").splitlines()
    assert len(lines) >= 3
    assert [line for line in lines if "Read-only file system" not in line] == []


@pytest.mark.cgroups
def test_s5_devices(engine: RunningEngine, tmp_path: Path) -> None:
    docker = engine.docker
    made = docker("run --rm --cap-add MKNOD busy sh -c 'mknod /tmp/sda b 8 0 && cat /tmp/sda'")
    assert (made.code, "not permitted" in made.err) == (1, True)
    # A loop device that nothing is behind: allowed, the open fails otherwise than when it is forbidden.
    os.mknod(tmp_path / "loop", 0o660 | stat.S_IFBLK, os.makedev(7, 200))
    option = f"--device {tmp_path}/loop:/dev/mine:r"
    assert "not permitted" not in docker(f"run --rm {option} busy head -c 1 /dev/mine").err
    assert "not permitted" in docker(f"run --rm {option} busy sh -c 'echo x > /dev/mine'").err


def test_s5_the_hosts_disk_in_an_image(engine: RunningEngine) -> None:
    """A node of the host's disk, or of its memory, that comes with the image."""
    docker = engine.docker
    docker.ok("run --name aa --cap-add MKNOD busy sh -c 'mknod /disk b 8 0; mknod /loop b 7 0; mknod /mem c 1 1'")
    docker.ok("commit aa noded")
    try:
        for node in ("/disk", "/loop", "/mem"):
            for program in (f"head -c 1 {node}", f"sh -c 'echo x > {node}'"):
                assert "not permitted" in docker(f"run --rm noded {program}").err, program
                assert "not permitted" in docker(f"run --rm --cap-add ALL noded {program}").err, program
    finally:
        docker("rm -f aa")
        docker("image rm -f noded")


def test_s6_the_kernels_own_files(engine: RunningEngine) -> None:
    for path in (
        "/proc/sys/kernel/core_pattern",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/kernel/mm/ksm/run",
    ):
        assert "Read-only file system" in engine.docker(f"run --rm busy sh -c 'echo x > {path}'").err


def test_s7_a_fork_bomb_stays_inside(engine: RunningEngine) -> None:
    bomb = "i=0; while [ $i -lt 60 ]; do sleep 20 & i=$((i+1)); done; wait"
    engine.docker.ok(f"run -d --name bomb --pids-limit 30 busy sh -c '{bomb}'")
    assert engine.docker.api("GET", "/_ping")[0] == 200
    assert "PidsLimit" in engine.docker.inspect("bomb")["HostConfig"]
    limit = engine.docker.ok("run --rm busy sh -c 'cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max'")
    assert limit == "2048"


def test_s8_no_new_privileges(engine: RunningEngine) -> None:
    assert status(engine.docker.ok(f"run --rm --security-opt no-new-privileges busy {STATUS}"))["NoNewPrivs"] == "1"


def test_s9_sysctls(engine: RunningEngine) -> None:
    docker = engine.docker
    assert docker("run --rm --sysctl kernel.core_pattern=x busy true").code == 125
    assert docker("run --rm --network host --sysctl net.core.somaxconn=9 busy true").code == 125
    assert docker.ok("run --rm --sysctl kernel.msgmax=9000 busy cat /proc/sys/kernel/msgmax") == "9000"


def test_s13_no_descriptor_leaks_in(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    # 3 is the directory that ls itself reads.
    assert docker.ok("run --rm busy ls /proc/self/fd").split() == ["0", "1", "2", "3"]
    assert docker.ok("exec aa ls /proc/self/fd").split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("name", ["run.oci.seccomp_bpf_data", "org.systemd.property.X", "io.podman.x"])
def test_s14_annotations(engine: RunningEngine, name: str) -> None:
    body: dict[str, Any] = {"Image": "busy", "Cmd": ["true"], "HostConfig": {"Annotations": {name: "x"}}}
    code, answer = engine.docker.api("POST", "/containers/create", body)
    assert (code, name in json.dumps(answer)) == (400, True)


@pytest.mark.parametrize("directory", ["/proc/self/fd/7", "/proc/self/fd/8", "/proc/thread-self/fd/9"])
def test_v1_a_working_directory_that_is_a_descriptor(engine: RunningEngine, directory: str) -> None:
    done = engine.docker(f"run --rm -w {directory} busy ls /")
    assert done.code != 0
    assert "etc" not in done.out
