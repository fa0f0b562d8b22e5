"""The thin modules over Linux, on the real kernel."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import pytest

from agent.engine.errors import Conflict
from agent.engine.kernel import cgroups, files, mounts, namespaces, pidfd, syscalls

V1 = """\
30 20 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
31 20 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 20 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
"""
V2 = "33 20 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def test_cgroups_v1_v2_and_both() -> None:
    one = cgroups.detect(V1)
    assert one.version == 1
    assert one.directory("/a/b", "cpuacct") == Path("/sys/fs/cgroup/cpu,cpuacct/a/b")
    assert len(one.directories("/a")) == 3
    two = cgroups.detect(V2)
    assert (two.version, two.directory("/a", "memory")) == (2, Path("/sys/fs/cgroup/a"))
    both = cgroups.detect(V1 + V2)
    assert both.version == 1
    assert "unified" in both.roots


async def test_a_move_that_is_foreseen_moves_nothing() -> None:
    groups = Path("/proc/self/cgroup").read_text()
    for _ in range(2):
        cgroups.foresee_move()  # the second finds the first under way
    await asyncio.get_running_loop().shutdown_default_executor()
    assert str(os.getpid()) in (cgroups._own_group() / "cgroup.procs").read_text().split()
    assert Path("/proc/self/cgroup").read_text() == groups


def test_a_cgroup_is_made_entered_and_removed() -> None:
    hierarchy, group = cgroups.detect(), f"/ls-test-{os.getpid()}"
    child = subprocess.Popen(["sleep", "60"])
    try:
        cgroups.create(hierarchy, group)
        cgroups.enter(hierarchy, group, child.pid)
        assert cgroups.processes(hierarchy, group) == [child.pid]
        assert not cgroups.remove(hierarchy, group)
    finally:
        child.kill()
        child.wait()
    assert cgroups.remove(hierarchy, group, patience=2)
    assert not any(directory.exists() for directory in hierarchy.directories(group))


def test_mountinfo() -> None:
    text = r"36 35 98:0 /mnt1 /mnt\0402 rw,noatime shared:1 - ext4 /dev/root rw,errors=continue"
    (found,) = mounts.parse_mountinfo(text)
    assert (found.target, found.kind, found.source, found.propagation) == ("/mnt 2", "ext4", "/dev/root", "shared")


def test_bind_and_unmount(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    target.mkdir()
    (source / "f").write_text("x")
    mounts.bind(source, target, readonly=True)
    assert mounts.is_mounted(target)
    with pytest.raises(OSError, match="Read-only"):
        (target / "f").write_text("y")
    assert mounts.unmount_below(tmp_path) == 1
    assert not mounts.unmount(target)


def test_a_network_namespace_without_a_process(tmp_path: Path) -> None:
    path = tmp_path / "ns"
    namespaces.make_network(path)
    try:
        own = os.readlink("/proc/self/ns/net")

        def inside() -> str:
            with namespaces.entered(path):
                return os.readlink("/proc/thread-self/ns/net")

        assert namespaces.in_own_thread(inside) != own
        assert os.readlink("/proc/self/ns/net") == own
    finally:
        namespaces.remove_network(path)
    assert not path.exists()
    namespaces.remove_network(path)


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "60"])


async def test_the_end_of_a_process_that_is_not_ours() -> None:
    child = sleeper()
    ticks = pidfd.start_ticks(child.pid)
    assert pidfd.is_alive(child.pid, ticks)
    assert not pidfd.is_alive(child.pid, ticks + 1)
    assert pidfd.open_process(child.pid, ticks + 1) is None
    descriptor = pidfd.open_process(child.pid, ticks)
    assert descriptor is not None
    waiting = asyncio.create_task(pidfd.ended(descriptor))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    assert pidfd.send(descriptor, signal.SIGTERM)
    await asyncio.wait_for(waiting, 30)
    assert pidfd.reap(child.pid) == 128 + signal.SIGTERM
    assert pidfd.reap(child.pid) is None
    assert not pidfd.send(descriptor, signal.SIGTERM)
    os.close(descriptor)
    child.returncode = 0


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    files.write_durably(path, b"one")
    files.write_durably(path, b"two", 0o640)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_one_lock(tmp_path: Path) -> None:
    held = files.lock(tmp_path / "lock")
    with pytest.raises(Conflict, match="another engine runs"):
        files.lock(tmp_path / "lock")
    os.close(held)
    os.close(files.lock(tmp_path / "lock"))


def test_beneath_a_hostile_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("s")
    (root / "up").symlink_to("../secret")
    (root / "abs").symlink_to("/secret")
    (root / "magic").symlink_to("/proc/self/root/etc")
    for name in ("up", "abs", "../secret", "magic/passwd"):
        with pytest.raises(OSError, match="No such file"):
            files.open_beneath(root, name, os.O_RDONLY)
    (root / "out").symlink_to("/x")
    files.make_beneath(root, "a/b/c")
    assert (root / "a/b/c").is_dir()
    with pytest.raises(OSError, match=r"File exists|No such file|Not a directory"):
        files.make_beneath(root, "out/y/../../../etc/evil")
    assert not (tmp_path / "etc").exists()


def test_errors_name_the_path() -> None:
    with pytest.raises(FileNotFoundError, match="/no/such/place"):
        syscalls.umount("/no/such/place")
