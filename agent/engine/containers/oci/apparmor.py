"""The AppArmor profile of containers: its text, and its loading where the kernel has AppArmor.

It is what dockerd's ``docker-default`` says: all but writes to the kernel's own files, mounts, and tracing of others.
Under a name of our own, so that a dockerd on the same host keeps its.
"""

import shutil
import subprocess
from pathlib import Path

from agent.engine.errors import System

DIRECTORY = Path("/sys/kernel/security/apparmor")
LOADED = DIRECTORY / "profiles"
ABSTRACTIONS = Path("/etc/apparmor.d")
NAME, PEER_NAME = "longshore-default", "docker-default"
UNCONFINED = "unconfined"

_DENIED = (
    "@{PROC}/* w,",
    "@{PROC}/{[^1-9/],[^1-9/][^0-9/],[^1-9s/][^0-9y/][^0-9s/],[^1-9/][^0-9/][^0-9/][^0-9/]*}/** w,",
    "@{PROC}/sys/[^k]** w,",
    "@{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,",
    "@{PROC}/sysrq-trigger rwklx,",
    "@{PROC}/kcore rwklx,",
    "mount,",
    "/sys/[^f]*/** wklx,",
    "/sys/f[^s]*/** wklx,",
    "/sys/fs/[^c]*/** wklx,",
    "/sys/fs/c[^g]*/** wklx,",
    "/sys/fs/cg[^r]*/** wklx,",
    "/sys/firmware/** rwklx,",
    "/sys/devices/virtual/powercap/** rwklx,",
    "/sys/kernel/security/** rwklx,",
    "network alg,",
)


def text(name: str = NAME, *, abi: bool = True, tunables: bool = True, base: bool = True, daemon: str = "") -> str:
    """The profile. Pure.

    Args:
        name: of the profile.
        abi: ``/etc/apparmor.d/abi/3.0`` is there: under a later one "network" no longer covers unix sockets.
        tunables: ``/etc/apparmor.d/tunables/global`` is there.
        base: ``abstractions/base`` is there.
        daemon: the engine's own profile: it may signal the container.
    """
    lines = ["abi <abi/3.0>,"] if abi else []
    lines += ["#include <tunables/global>" if tunables else "@{PROC}=/proc/", ""]
    lines += [f"profile {name} flags=(attach_disconnected,mediate_deleted) {{"]
    lines += ["  #include <abstractions/base>"] if base else []
    lines += ["  network,", "  capability,", "  file,", "  umount,", ""]
    peers = dict.fromkeys(filter(None, (UNCONFINED, "runc", "crun", daemon)))
    lines += [f"  signal (receive) peer={peer}," for peer in peers]
    lines += [f"  signal (send,receive) peer={name},", ""]
    lines += [f"  deny {rule}" for rule in _DENIED]
    lines += ["", f"  ptrace (trace,read,tracedby,readby) peer={name},", "}", ""]
    return "\n".join(lines)


def present() -> bool:
    """The kernel has AppArmor."""
    return DIRECTORY.exists()


def profile_of(asked: str, *, privileged: bool) -> str:
    """The profile that a container runs under, loaded where it is ours; empty without AppArmor. Blocks.

    Raises:
        System: ours cannot be loaded.
    """
    if not present():
        return ""
    if not asked:
        asked = UNCONFINED if privileged else NAME
    if asked == PEER_NAME and not loaded(PEER_NAME):
        asked = NAME
    if asked == NAME and not loaded(NAME):
        load()
    return asked


def loaded(name: str) -> bool:
    """The kernel knows the profile."""
    return any(line.rpartition(" (")[0] == name for line in LOADED.read_text().splitlines())


def load() -> None:
    """Hand the profile to the kernel.

    Raises:
        System: there is no apparmor_parser, or it refuses.
    """
    parser = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if parser is None:
        raise System("AppArmor enabled on system but the apparmor_parser is not installed: install apparmor")
    content = text(
        abi=(ABSTRACTIONS / "abi/3.0").exists(),
        tunables=(ABSTRACTIONS / "tunables/global").exists(),
        base=(ABSTRACTIONS / "abstractions/base").exists(),
        daemon=Path("/proc/self/attr/current").read_text().strip("\0\n").partition(" ")[0],
    )
    done = subprocess.run([parser, "-Kr"], input=content, capture_output=True, text=True, check=False)
    if done.returncode:
        raise System(f"the AppArmor profile {NAME} cannot be loaded: {(done.stderr or done.stdout).strip()[-300:]}")
