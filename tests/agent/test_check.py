"""`python -m agent check`: each thing that a host may lack is named, with its cure, once it is taken away."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.check import kernel, programs, state
from agent.check.finding import Check, Host
from agent.check.link import said
from agent.check.report import host_checks, text

REPOSITORY = Path(__file__).resolve().parents[2]
V1 = "30 20 0:2{0} / /sys/fs/cgroup/{1} rw - cgroup cgroup rw,{1}\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host that lacks nothing, as files."""
    release = "6.1.0-test"
    files = {
        "proc/sys/kernel/osrelease": f"{release}\n",
        "proc/filesystems": "nodev\tproc\nnodev\toverlay\n",
        "proc/sys/kernel/seccomp/actions_avail": "kill_process errno allow\n",
        "proc/self/mountinfo": "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "proc/meminfo": "MemTotal:        4000000 kB\n",
        "proc/mounts": "/dev/vda / ext4 rw 0 0\n",
        "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
        f"modules/{release}/modules.dep": "kernel/fs/fuse/fuse.ko.zst:\n",
        "share/containers/seccomp.json": "{}",
        **{f"proc/sys/user/max_{name}_namespaces": "1000\n" for name in ("net", "mnt", "pid")},
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    for name in ("cgroup", "ipc", "mnt", "net", "pid", "uts"):
        (tmp_path / "proc/self/ns" / name).touch()
    (tmp_path / "bin").mkdir()
    said = {"crun": "crun version 9.9.9", "runc": "runc version 9.9.9", "conmon": "conmon version 2.1.6"}
    for name in ("crun", "runc", "conmon", "nft", "catatonit", "ps", "ip", "unshare", "sh"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\necho {said.get(name, '')}\n")
        program.chmod(0o755)
    return Host(
        proc=tmp_path / "proc", sys=tmp_path / "sys", modules=tmp_path / "modules", share=tmp_path / "share",
        path=str(tmp_path / "bin"), uid=0,
    )  # fmt: skip


def lacking(host: Host, where: Path) -> dict[str, Check]:
    """What is not right, but for what a test machine may lack itself."""
    own = {"open files", "clock", "disk", "inodes", "memory", "name server", "libnftables"}
    found = host_checks(host, where, own_engine=True)
    return {check.name: check for check in found if not check.ok and check.name not in own}


def test_nothing_is_missing(host: Host, tmp_path: Path) -> None:
    assert lacking(host, tmp_path) == {}


@pytest.mark.parametrize(
    ("file", "content", "name", "cure"),
    [
        ("proc/sys/kernel/osrelease", "5.4.0\n", "kernel", "linux-image"),
        ("proc/self/ns/net", None, "namespaces", "CONFIG_NAMESPACES"),
        ("proc/sys/user/max_net_namespaces", "0\n", "namespaces", "sysctl -w user.max_net_namespaces="),
        ("proc/sys/kernel/seccomp/actions_avail", None, "seccomp", "CONFIG_SECCOMP_FILTER"),
        ("proc/self/mountinfo", "", "cgroups", "mount -t cgroup2"),
        ("proc/self/mountinfo", "".join(V1.format(n, name) for n, name in enumerate(("cpu", "memory"))), "cgroups",
         "boot with cgroup_enable=pids; then mount -t cgroup -o pids"),
        ("sys/fs/cgroup/cgroup.controllers", "cpu pids\n", "cgroups", "boot with cgroup_enable=memory"),
        ("bin/conmon", None, "conmon", "apt install conmon"),
        ("bin/conmon", "#!/bin/sh\necho conmon version 2.0.25\n", "conmon", "a newer release"),
        ("bin/nft", None, "nft", "apt install nftables"),
        ("share/containers/seccomp.json", None, "seccomp profile", "apt install golang-github-containers-common"),
        ("proc/mounts", "/dev/vda / ext4 rw,noexec 0 0\n", "mount options", "remount with exec"),
        ("proc/mounts", "srv:/x / nfs4 rw 0 0\n", "state directory", "choose another --state"),
    ],
)  # fmt: skip
def test_a_need_that_is_not_met(
    host: Host, tmp_path: Path, file: str, content: str | None, name: str, cure: str
) -> None:
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    found = lacking(host, tmp_path)
    assert name in found, found
    assert cure in found[name].cure
    assert found[name].needed
    assert f"MISS {name}: " in text(list(found.values()))


@pytest.mark.parametrize(
    ("file", "content", "name"),
    [
        ("bin/crun", "#!/bin/sh\necho crun version 1.8.1\n", "crun's age"),
        ("bin/runc", "#!/bin/sh\necho runc version 1.1.5\n", "runc's age"),
        ("bin/crun", None, "crun"),
        ("bin/catatonit", None, "catatonit"),
        ("proc/filesystems", "nodev\tproc\n", "overlayfs"),
        ("bin/ps", None, "ps"),
        ("proc/sys/kernel/osrelease", "5.10.0\n", "kernel"),
        ("sys/fs/cgroup/cgroup.controllers", "cpu pids memory\n", "further controllers"),
        ("proc/mounts", "tmpfs / tmpfs rw 0 0\n", "state directory"),
    ],
)
def test_what_would_be_better(host: Host, tmp_path: Path, file: str, content: str | None, name: str) -> None:
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    found = lacking(host, tmp_path)
    assert not found[name].needed
    assert f"warn {name}: " in text(list(found.values()))


def test_no_runtime_at_all(host: Host, tmp_path: Path) -> None:
    for name in ("crun", "runc"):
        (tmp_path / "bin" / name).unlink()
    assert lacking(host, tmp_path)["runtime"].needed


def test_a_kernel_that_cannot_make_a_bridge(host: Host, tmp_path: Path) -> None:
    (tmp_path / "bin/unshare").write_text(
        "#!/bin/sh\ncase \"$*\" in *bridge*) echo 'Unknown device type.' >&2; exit 2;; esac\n"
    )
    found = lacking(host, tmp_path)
    assert found["bridges"].detail == "Unknown device type."
    assert found["bridges"].cure.startswith("modprobe bridge")
    assert "veth" not in found


def test_hybrid_cgroups_and_no_swap(host: Host, tmp_path: Path) -> None:
    mounts = [V1.format(n, name) for n, name in enumerate(("cpu", "memory", "pids", "cpuset", "blkio"))]
    mounts.append("30 20 0:99 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")
    (tmp_path / "proc/self/mountinfo").write_text("".join(mounts))
    (tmp_path / "sys/fs/cgroup/unified").mkdir()
    (tmp_path / "sys/fs/cgroup/unified/cgroup.controllers").write_text("hugetlb\n")
    found = lacking(host, tmp_path)
    assert "hugetlb on v2" in found["hybrid cgroups"].detail
    assert found["swap limits"].cure == "boot with swapaccount=1"


def test_a_socket_path_that_is_too_long(host: Host, tmp_path: Path) -> None:
    assert lacking(host, tmp_path / ("x" * 120))["socket"].cure == "a shorter --state"


def test_the_last_mount_over_a_place_counts() -> None:
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /var tmpfs rw 0 0\n/dev/b /var/lib xfs rw,nodev 0 0\n"
    assert state.mount_of(mounts, Path("/var/lib/longshore"))[0] == "xfs"
    assert state.mount_of(mounts, Path("/var/library"))[0] == "tmpfs"
    assert programs.numbers("1.1.5+ds1-1+deb12u1") == (1, 1, 5)


def test_a_module_counts(host: Host, tmp_path: Path) -> None:
    assert not kernel.loadable(host, "overlay")
    (tmp_path / "modules/6.1.0-test/modules.builtin").write_text("kernel/fs/overlayfs/overlay.ko\n")
    assert kernel.loadable(host, "overlay")


def run(where: Path, *arguments: str, path: str | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": path if path is not None else os.environ["PATH"]}
    command = [sys.executable, "-m", "agent", "check", "--state", str(where), *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_this_host(tmp_path: Path) -> None:
    whole = run(tmp_path, "--host-only", "--json")
    checks = {check["name"]: check for check in json.loads(whole.stdout)}
    assert whole.returncode == 0, whole.stdout
    assert checks["conmon"]["detail"].startswith("/")
    assert checks["nftables"]["ok"]
    bare = run(tmp_path, "--host-only", path="/nonexistent")
    assert bare.returncode == 1
    assert "MISS runtime: neither crun nor runc\n     apt install crun\n" in bare.stdout
    without = tmp_path / "bin"
    without.mkdir()
    for name in ("crun", "nft", "catatonit", "ps", "ip", "unshare", "sh"):
        (without / name).symlink_to(str(shutil.which(name)))
    assert [line for line in run(tmp_path, "--host-only", path=str(without)).stdout.splitlines() if "MISS" in line] == [
        "MISS conmon: not found"
    ]


def test_an_agent_that_has_not_joined(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert {"MISS engine", "MISS enrolled", "MISS link"} <= {
        line.partition(":")[0] for line in done.stdout.splitlines()
    }


def test_a_firewall_that_cuts_containers_off_comes_with_a_cure() -> None:
    found = said("a firewall (chain FORWARD of table ip filter) drops what containers on longshore0 send")
    assert "ufw route allow in on LINK" in found.cure
    assert (found.ok, found.needed, said("crun is old").cure) == (False, False, "")
