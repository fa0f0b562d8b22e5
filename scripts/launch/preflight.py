"""What must hold before anything starts. Each refusal names the cure."""

import os
import shutil
import socket
from pathlib import Path

from scripts.launch.plan import Plan
from scripts.launch.refusal import Refusal

#: Less than this and the first pull would fill the disk.
FREE_DISK = 2 * 1024**3
#: Controllers without which neither crun nor runc starts a container with limits.
CONTROLLERS = ("memory", "cpu", "pids")


def check(plan: Plan, *, running: bool) -> None:
    """Refuse what cannot work.

    Args:
        plan: the installation that is about to start.
        running: its web process already runs, so its port is rightly taken.

    Raises:
        Refusal: not root, no overlayfs, no usable cgroup, data directory on overlayfs, no disk, port taken.
    """
    if os.geteuid() != 0:
        raise Refusal("this must run as root, since containers need it. Try: sudo scripts/up")
    _overlayfs(Path("/proc/filesystems").read_text())
    _cgroups(Path("/proc/mounts").read_text())
    plan.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    _data_directory(plan.data, Path("/proc/mounts").read_text())
    free = shutil.disk_usage(plan.data).free
    if free < FREE_DISK:
        raise Refusal(
            f"{plan.data} has {free // 1024**2} MiB free and Longshore wants at least {FREE_DISK // 1024**2}. "
            "Free some, or choose another place with --data DIR."
        )
    if not running:
        _port(plan.bind, plan.port)


def _overlayfs(filesystems: str) -> None:
    if "\toverlay\n" in filesystems:
        return
    # A module that is not loaded yet does not stand in the list; loading it is what the first mount would do.
    if os.system("modprobe overlay >/dev/null 2>&1") != 0:
        raise Refusal("this kernel has no overlayfs, on which images are stacked. Use a kernel with CONFIG_OVERLAY_FS.")


def _cgroups(mounts: str) -> None:
    entries = [line.split() for line in mounts.splitlines()]
    v1 = {option for e in entries if e[2] == "cgroup" for option in e[3].split(",")}
    v2 = [e[1] for e in entries if e[2] == "cgroup2"]
    missing = [c for c in CONTROLLERS if c not in v1]
    if not missing:
        return
    for where in v2:
        available = (Path(where) / "cgroup.controllers").read_text().split()
        if all(c in available for c in CONTROLLERS):
            return
    raise Refusal(
        f"no usable cgroup: the controllers {', '.join(missing)} are mounted neither as v1 nor in the v2 tree. "
        "Boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or mount them below /sys/fs/cgroup."
    )


def _data_directory(data: Path, mounts: str) -> None:
    best, kind = "", ""
    for line in mounts.splitlines():
        where, fstype = line.split()[1:3]
        if len(where) >= len(best) and (data == Path(where) or Path(where) in data.parents):
            best, kind = where, fstype
    if kind == "overlay":
        raise Refusal(
            f"{data} lies on overlayfs (mounted at {best}), on which the kernel refuses another overlay. "
            "Choose a folder on ext4, xfs or tmpfs with --data DIR."
        )


def _port(bind: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            raise Refusal(f"cannot listen on {bind}:{port}: {error.strerror}. Choose another with --port P.") from error
