"""What a container may do: capabilities, paths, devices, annotations, security options. Pure; the table of defaults.

Default capabilities are Podman's eleven: Docker's fourteen without MKNOD, NET_RAW and AUDIT_WRITE. Masked and read-only
paths are the union of Docker's and Podman's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.engine.errors import Invalid

Json = dict[str, Any]

# In the kernel's order, so that the index is the number.
KERNEL_CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (  # noqa: SIM905
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
        "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
        "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
        "AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ "
        "PERFMON BPF CHECKPOINT_RESTORE"
    ).split()
)
DEFAULT_CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (  # noqa: SIM905
        "CHOWN DAC_OVERRIDE FSETID FOWNER SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL"
    ).split()
)
DOCKER_CAPABILITIES = (*DEFAULT_CAPABILITIES, "CAP_MKNOD", "CAP_NET_RAW", "CAP_AUDIT_WRITE")

DOCKER_MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
)  # fmt: skip
DOCKER_READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_ALSO_MASKED = ("/proc/interrupts", "/sys/devices/virtual/powercap", "/sys/fs/selinux", "/sys/dev/block")

RLIMITS = frozenset(
    f"RLIMIT_{name}"
    for name in (  # noqa: SIM905
        "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK"
    ).split()
)
OPEN_FILES = (1024, 524288)
"""Soft and hard limit on descriptors, where the client names none."""

FORBIDDEN_ANNOTATIONS = ("run.oci.", "org.systemd.property.", "io.podman.", "io.container.", "org.opencontainers.")
"""A runtime acts on these: ``run.oci.seccomp_bpf_data`` alone switches the filter off."""

NAMESPACED_SYSCTLS = frozenset({
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
    "kernel.shm_rmid_forced",
})  # fmt: skip
_OF_UTS = frozenset({"kernel.domainname"})


def own_capabilities() -> frozenset[str]:
    """What this process may give away: less than the kernel knows where the engine itself runs confined."""
    status = Path("/proc/self/status").read_text()
    mask = int(status.partition("CapBnd:")[2].split()[0], 16)
    return frozenset(name for number, name in enumerate(KERNEL_CAPABILITIES) if mask >> number & 1)


def last_capability() -> int:
    """Number of the kernel's last capability."""
    return int(Path("/proc/sys/kernel/cap_last_cap").read_text())


def _normal(names: Sequence[str], field: str) -> list[str]:
    found = []
    for name in names:
        full = name.upper() if name.upper().startswith("CAP_") else f"CAP_{name.upper()}"
        if full not in KERNEL_CAPABILITIES and full != "CAP_ALL":
            raise Invalid(f'invalid {field}: unknown capability: "{full}"')
        found.append(full)
    return found


def capabilities(
    host: Mapping[str, Any], defaults: Sequence[str], last: int = len(KERNEL_CAPABILITIES) - 1
) -> list[str]:
    """What the container's bounding set holds.

    Raises:
        Invalid: a capability that does not exist.
    """
    everything = list(KERNEL_CAPABILITIES[: last + 1])
    add, drop = _normal(host.get("CapAdd") or [], "CapAdd"), _normal(host.get("CapDrop") or [], "CapDrop")
    if host.get("Privileged"):
        return everything
    if "CAP_ALL" in add:
        wanted = everything
    elif "CAP_ALL" in drop:
        wanted = []
    else:
        wanted = list(defaults)
    kept = [name for name in wanted if name not in drop]
    named = [name for name in add if name != "CAP_ALL" and name not in kept]
    return [name for name in (*kept, *named) if name in everything]


@dataclass(frozen=True, slots=True)
class Options:
    """``--security-opt``, read."""

    no_new_privileges: bool = False
    seccomp: str = ""
    """Empty: the default profile; ``unconfined``; else a profile as JSON."""
    label: tuple[str, ...] = ()
    """SELinux's: ``disable``, ``type:…``, ``level:…``."""
    apparmor: str = ""
    """Empty: the engine's own profile."""
    writable_cgroups: bool | None = None
    """None: as the container is privileged or not."""

    @property
    def label_disabled(self) -> bool:
        return "disable" in self.label


TRUE, FALSE = frozenset("1 t T TRUE true True".split()), frozenset("0 f F FALSE false False".split())  # noqa: SIM905


def options(given: Sequence[str] | None) -> Options:
    """Read the security options.

    Raises:
        Invalid: one that is unknown, or that this host cannot honour.
    """
    no_new, seccomp, apparmor, writable = False, "", "", None
    label: list[str] = []
    for text in given or []:
        name, separator, value = text.partition("=" if "=" in text else ":")
        if text in {"no-new-privileges", "writable-cgroups", "disable"}:
            value = "disable" if text == "disable" else "true"
        elif not separator:
            raise Invalid(f'invalid --security-opt 1: "{text}"')
        if name in {"no-new-privileges", "writable-cgroups"} and value in TRUE | FALSE:
            if name == "no-new-privileges":
                no_new = value in TRUE
            else:
                writable = value in TRUE
        elif name == "seccomp":
            seccomp = _profile(value)
        elif name in {"label", "disable"}:
            label.append(value)
        elif name == "apparmor":
            apparmor = value
        else:
            raise Invalid(f'invalid --security-opt 2: "{text}"')
    return Options(no_new, seccomp, tuple(label), apparmor, writable)


def _profile(value: str) -> str:
    if value in {"unconfined", "builtin"}:
        return "" if value == "builtin" else value
    try:
        profile = json.loads(value)
    except ValueError:
        profile = None
    if not isinstance(profile, dict) or "defaultAction" not in profile:
        raise Invalid("the seccomp option wants unconfined, builtin, or a profile as JSON")
    return value


def check_annotations(annotations: Mapping[str, str]) -> None:
    """Refuse annotations that the runtime would act on.

    Raises:
        Invalid: naming the annotation.
    """
    for name in annotations:
        if not name:
            raise Invalid("invalid Annotations: the empty string is not permitted as an annotation key")
        if name.startswith(FORBIDDEN_ANNOTATIONS):
            raise Invalid(f"the annotation {name} is reserved for the runtime")


def sysctls(host: Mapping[str, Any], *, remapped: bool = False) -> dict[str, str]:
    """The container's sysctls, our defaults below the client's.

    Args:
        host: ``HostConfig``.
        remapped: it has a user namespace, in which not every group exists.

    Raises:
        Invalid: one that is not namespaced, or of a namespace that the container shares with the host.
    """
    asked = host.get("Sysctls") or {}
    mode = host.get("NetworkMode") or ""
    host_network, host_ipc = mode == "host", host.get("IpcMode") == "host"
    for name in asked:
        if name.startswith("net."):
            if host_network:
                raise Invalid(f"sysctl '{name}' is not allowed with the host's network")
        elif name in NAMESPACED_SYSCTLS or name.startswith("fs.mqueue."):
            if host_ipc:
                raise Invalid(f"sysctl '{name}' is not allowed with the host's IPC")
        elif name not in _OF_UTS or host.get("UTSMode") == "host":
            raise Invalid(f"sysctl '{name}' is not whitelisted: it is not the container's own")
    ours: dict[str, str] = {}
    if not host_network and not mode.startswith("container:"):
        ours["net.ipv4.ip_unprivileged_port_start"] = "0"
        if not remapped:
            ours["net.ipv4.ping_group_range"] = "0 2147483647"
    return {**ours, **asked}


def masked(host: Mapping[str, Any]) -> list[str]:
    """Paths that look empty. A list that is Docker's default stands for the default: clients send it back."""
    given = host.get("MaskedPaths") or []
    if set(given) == set(DOCKER_MASKED):
        return [*given, *_ALSO_MASKED]
    return list(given)


def readonly(host: Mapping[str, Any]) -> list[str]:
    """Paths that cannot be written."""
    return list(host.get("ReadonlyPaths") or [])


def device_rules(rules: Sequence[str] | None) -> list[Json]:
    """``--device-cgroup-rule``: ``c 42:* rwm``.

    Raises:
        Invalid: not of that form.
    """
    found: list[Json] = []
    for rule in rules or []:
        parts = rule.split()
        numbers = parts[1].split(":") if len(parts) == 3 else []
        if len(numbers) != 2 or parts[0] not in {"a", "b", "c"} or not set(parts[2]) <= set("rwm"):
            raise Invalid(f"invalid device cgroup rule format: '{rule}'")
        entry: Json = {"allow": True, "type": parts[0], "access": parts[2]}
        for name, number in zip(("major", "minor"), numbers, strict=True):
            if number != "*":
                if not number.isdigit():
                    raise Invalid(f"invalid device cgroup rule format: '{rule}'")
                entry[name] = int(number)
        found.append(entry)
    return found


DEVICE_ALLOW: tuple[Json, ...] = (
    {"allow": False, "access": "rwm"},
    *(
        {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
        for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2))
    ),
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
    {"allow": False, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
)
"""Docker's rules with what the runtime adds for its own default devices."""
