"""What the engine wants of the kernel: version, features, cgroups, limits, a clock that is right."""

from __future__ import annotations

import ctypes
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.check.finding import Check, Host
from agent.engine.kernel import cgroups

_NEEDED_KERNEL: Final = (5, 6)
_WANTED_KERNEL: Final = (5, 19)
_NEWER: Final = "boot a newer kernel; Debian: apt install linux-image-amd64 (or -arm64), then reboot"
_NAMESPACES: Final = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
_CONTROLLERS: Final = ("memory", "cpu", "pids")
_EXTRA: Final = {2: ("cpuset", "io"), 1: ("cpuset", "blkio", "devices", "freezer", "cpuacct")}
_LEAST_FILES: Final = 65536
_LEAST_MEMORY: Final = 512 << 10
_TIME_ERROR: Final = 5
_NAT: Final = "table ip lscheck { chain out { type nat hook postrouting priority srcnat; masquerade; }; }\n"


def kernel(host: Host) -> Iterator[Check]:
    """Every check of this module, in the order in which one would mend them."""
    yield _version(host)
    yield _overlayfs(host)
    yield _namespaces(host)
    yield _seccomp(host)
    yield from _cgroups(host)
    yield from _network(host)
    yield from _limits(host)
    yield _clock()


def loadable(host: Host, module: str) -> bool:
    """The kernel has it built in, or as a module that it loads when it is first used."""
    release = host.text("sys/kernel/osrelease").strip()
    for name in ("modules.builtin", "modules.dep"):
        try:
            if f"/{module}.ko" in (host.modules / release / name).read_text():
                return True
        except OSError:
            continue
    return False


def _version(host: Host) -> Check:
    release = host.text("sys/kernel/osrelease").strip()
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    if numbers < _NEEDED_KERNEL:
        return Check("kernel", False, f"{release or 'unknown'}: openat2 came with 5.6", _NEWER)
    lost = "no --userns-remap (5.19)" if numbers >= (5, 12) else "no --userns-remap, no recursive read-only binds"
    detail = release if numbers >= _WANTED_KERNEL else f"{release}: {lost}"
    return Check("kernel", numbers >= _WANTED_KERNEL, detail, _NEWER, needed=False)


def _overlayfs(host: Host) -> Check:
    if "\toverlay\n" in host.text("filesystems"):
        return Check("overlayfs", True, "in the kernel")
    if loadable(host, "overlay"):
        return Check("overlayfs", True, "a module, loaded when it is first used")
    return Check("overlayfs", False, "not in the kernel: by FUSE or by copying containers are slower",
                 f"modprobe overlay; where there is no such module, {_NEWER}", needed=False)  # fmt: skip


def _namespaces(host: Host) -> Check:
    missing = [name for name in _NAMESPACES if not (host.proc / "self/ns" / name).exists()]
    none_left = [name for name in ("net", "mnt", "pid") if host.text(f"sys/user/max_{name}_namespaces").strip() == "0"]
    if missing:
        return Check("namespaces", False, f"without {', '.join(missing)}", f"a kernel with CONFIG_NAMESPACES: {_NEWER}")
    cure = "; ".join(f"sysctl -w user.max_{name}_namespaces=100000" for name in none_left)
    return Check("namespaces", not none_left, f"none allowed: {', '.join(none_left)}" if none_left else "all", cure)


def _seccomp(host: Host) -> Check:
    there = bool(host.text("sys/kernel/seccomp/actions_avail")) or "\nSeccomp:" in host.text("self/status")
    cure = f"a kernel with CONFIG_SECCOMP_FILTER: {_NEWER}"
    return Check("seccomp", there, "filters" if there else "not in the kernel", cure)


def _cgroups(host: Host) -> Iterator[Check]:
    hierarchy = cgroups.detect(host.text("self/mountinfo"))
    if not hierarchy.roots:
        yield Check("cgroups", False, "not mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup, or boot with systemd")
        return

    def below(path: Path) -> Path:
        return host.sys / path.relative_to("/sys") if path.is_relative_to("/sys") else path

    if hierarchy.version == 2:
        listed = below(hierarchy.roots[""]) / "cgroup.controllers"
        have = set(listed.read_text().split()) if listed.exists() else set()
    else:
        have = set(hierarchy.roots)
    missing = [name for name in _CONTROLLERS if name not in have]
    cure = f"boot with {' '.join(f'cgroup_enable={name}' for name in missing)}"
    if hierarchy.version == 1:
        cure += "; then " + "; ".join(f"mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}" for name in missing)
    without = f", without {', '.join(missing)}" if missing else ""
    yield Check("cgroups", not missing, f"v{hierarchy.version}{without}", cure if missing else "")
    lacking = [name for name in _EXTRA[hierarchy.version] if name not in have]
    if lacking:
        yield Check("further controllers", False, f"without {', '.join(lacking)}: their limits do not work",
                    "boot with cgroup v2: systemd.unified_cgroup_hierarchy=1", needed=False)  # fmt: skip
    if hierarchy.version == 1:
        yield from _version_one(hierarchy, below(hierarchy.roots.get("unified", Path("/nonexistent"))), host)


def _version_one(hierarchy: cgroups.Hierarchy, unified: Path, host: Host) -> Iterator[Check]:
    memory = hierarchy.roots.get("memory")
    if memory is not None and not (host.sys / memory.relative_to("/sys") / "memory.memsw.limit_in_bytes").exists():
        yield Check("swap limits", False, "swap is not counted", "boot with swapaccount=1", needed=False)
    listed = unified / "cgroup.controllers"
    free = listed.read_text().split() if listed.exists() else []
    if free:
        yield Check("hybrid cgroups", False, f"{', '.join(free)} on v2: crun refuses that, runc is slower",
                    "boot with systemd.unified_cgroup_hierarchy=1 (all of it v2)", needed=False)  # fmt: skip


def _network(host: Host) -> Iterator[Check]:
    """Tried in a network namespace that is gone right after."""
    tries = (
        ("bridges", "bridge", "ip link add lscheck0 type bridge", "", True),
        ("veth", "veth", "ip link add lscheck0 type veth peer name lscheck1", "", True),
        ("nftables", "nf_tables", "nft -f -", _NAT, True),
        ("macvlan", "macvlan", "ip link add lscheck0 type dummy && ip link add link lscheck0 type macvlan", "", False),
        ("ipvlan", "ipvlan", "ip link add lscheck0 type dummy && ip link add link lscheck0 type ipvlan", "", False),
    )
    for name, module, command, stdin, needed in tries:
        programs = ("unshare", "sh", command.partition(" ")[0])
        if host.uid != 0 or not all(shutil.which(program, path=host.path) for program in programs):
            continue
        failed = host.run(["unshare", "--net", "sh", "-c", command], stdin)
        cure = f"modprobe {module}; where there is no such module, {_NEWER}"
        yield Check(name, failed is None, failed or "works", cure, needed=needed)


def _limits(host: Host) -> Iterator[Check]:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = most == resource.RLIM_INFINITY or most >= _LEAST_FILES
    cure = "LimitNOFILE=1048576 in the unit, or ulimit -Hn 1048576 in the shell that starts it"
    yield Check("open files", enough, f"{most} at most; a container takes ten", cure, needed=False)
    found = re.search(r"^MemTotal:\s+(\d+) kB", host.text("meminfo"), re.MULTILINE)
    total = int(found[1]) if found else 0
    yield Check("memory", total >= _LEAST_MEMORY, f"{total >> 10} MiB", "512 MiB are little enough", needed=False)
    if "nameserver" not in _resolver():
        yield Check("name server", False, "/etc/resolv.conf names none: nor can containers",
                    "name one there", needed=False)  # fmt: skip


def _resolver() -> str:
    try:
        return Path("/etc/resolv.conf").read_text()
    except OSError:
        return ""


def _clock() -> Check:
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(512))
    kept = state not in (_TIME_ERROR, -1)
    detail = "kept right by a time server" if kept else "nobody keeps it right: logs and certificates go by it"
    return Check("clock", kept, detail, "apt install systemd-timesyncd (or chrony)", needed=False)
