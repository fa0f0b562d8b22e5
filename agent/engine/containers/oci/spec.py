"""The OCI specification of a container: a pure function of its record and of what was prepared for this run.

Everything that needs the disk or the kernel (users looked up, volumes acquired, devices examined, a namespace made)
comes in by ``Prepared``; the same input gives the same document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.engine.containers.oci import cdi
from agent.engine.containers.oci.labels import NONE, Labels
from agent.engine.containers.oci.users import User
from agent.engine.containers.options import limits, mounts, security
from agent.engine.kernel.idmaps import IdMap
from agent.engine.state.records import ContainerRecord, MountPoint

Json = dict[str, Any]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT = "/sbin/docker-init"
ROOT = User()
SHARED_MEMORY = "/dev/shm"  # noqa: S108 (the mount point itself)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What this run stands on."""

    rootfs: str
    cgroup: str
    cgroup_version: int
    machine: limits.Machine
    pids_limit: int
    user: User = ROOT
    netns: str | None = None
    """None: the namespace of the engine's own process."""
    hostname: str = ""
    mounts: tuple[MountPoint, ...] = ()
    """With their sources filled in."""
    files: Mapping[str, str] = ()  # type: ignore[assignment]
    """Path inside → file of the host: hosts, hostname, resolv.conf."""
    devices: tuple[Json, ...] = ()
    device_rules: tuple[Json, ...] = ()
    capabilities: tuple[str, ...] = ()
    seccomp: Json | None = None
    seccomp_compiled: str | None = None
    """The filter as the runtime compiled it before: saves half of a start."""
    init: str = ""
    """Path of catatonit, where the container wants an init."""
    environment: tuple[str, ...] = ()
    """Of links: before the container's own."""
    block_io: Json = field(default_factory=dict)
    joined: Mapping[str, str] = field(default_factory=dict)
    """Kind of namespace → path of the one that is shared."""
    shared_memory: str = ""
    """Directory of the host for ``/dev/shm``, where it is shared; else the container has one of its own."""
    edits: tuple[Json, ...] = ()
    """Of devices by name, with their nodes and what may be done to them."""
    named_devices: tuple[tuple[Json, str], ...] = ()
    apparmor: str = ""
    """Profile; empty where the host has no AppArmor."""
    labels: Labels = NONE
    ids: IdMap | None = None
    """The container has a user namespace, with this map, of those that are joined."""


def environment(record: ContainerRecord, hostname: str, linked: Sequence[str] = ()) -> list[str]:
    """What the program finds in its environment: our defaults and those of links below the container's own."""
    ours = [f"PATH={PATH}", f"HOSTNAME={hostname}"] + (["TERM=xterm"] if record.tty else []) + [*linked]
    own = [variable for variable in record.config.get("Env") or [] if "=" in variable]
    given = {variable.partition("=")[0] for variable in record.config.get("Env") or []}
    return [*(variable for variable in ours if variable.partition("=")[0] not in given), *own]


def with_home(environment: list[str], user: User) -> list[str]:
    """Where the container's passwd file does not say: of its lines the runtime finds HOME by itself."""
    if user.home != "/" or any(variable.startswith("HOME=") for variable in environment):
        return environment
    return [*environment, "HOME=/"]


def build(record: ContainerRecord, prepared: Prepared) -> Json:
    """The whole document."""
    host = record.host_config
    document: Json = {
        "ociVersion": "1.0.2",
        "process": _process(record, prepared),
        "root": {"path": prepared.rootfs, "readonly": bool(host.get("ReadonlyRootfs"))},
        "mounts": _mounts(record, prepared),
        "linux": _linux(record, prepared),
    }
    if host.get("UTSMode") != "host":
        document["hostname"] = prepared.hostname
        if record.config.get("Domainname"):
            document["domainname"] = record.config["Domainname"]
    annotations = dict(host.get("Annotations") or {})
    if prepared.seccomp_compiled:
        annotations["run.oci.seccomp_bpf_data"] = prepared.seccomp_compiled
    if annotations:
        document["annotations"] = annotations
    cdi.inject(document, prepared.edits, prepared.named_devices)
    return document


def process(record: ContainerRecord, prepared: Prepared, args: tuple[str, ...]) -> Json:
    """The OCI ``process`` object of the container's first program, or of an exec before its own options."""
    host, user = record.host_config, prepared.user
    bounding = list(prepared.capabilities)
    # Inheritable and ambient stay empty: a setuid or capable file must not give more than the bounding set's rules.
    effective = bounding if user.uid == 0 else []
    document: Json = {
        "terminal": record.tty,
        "user": {"uid": user.uid, "gid": user.gid, "umask": 0o22},
        "args": list(args),
        "env": with_home(environment(record, prepared.hostname, prepared.environment), user),
        "cwd": record.config.get("WorkingDir") or "/",
        "capabilities": {"bounding": bounding, "effective": effective, "permitted": effective},
        "noNewPrivileges": security.options(host.get("SecurityOpt")).no_new_privileges,
        "rlimits": _rlimits(host, prepared.machine),
    }
    # The primary group too: dropping it by setgroups alone must not be possible (CVE-2022-36109).
    document["user"]["additionalGids"] = list(dict.fromkeys((user.gid, *user.groups)))
    if prepared.apparmor:
        document["apparmorProfile"] = prepared.apparmor
    if prepared.labels.process:
        document["selinuxLabel"] = prepared.labels.process
    return document


def _process(record: ContainerRecord, prepared: Prepared) -> Json:
    args = (record.path, *record.args)
    if prepared.init:
        args = (INIT, "--", *args)
    document = process(record, prepared, args)
    document["oomScoreAdj"] = record.host_config.get("OomScoreAdj") or 0
    size = record.host_config.get("ConsoleSize") or [0, 0]
    if record.tty and all(size):
        document["consoleSize"] = {"height": size[0], "width": size[1]}
    return document


def _rlimits(host: Mapping[str, Any], machine: limits.Machine) -> list[Json]:
    asked = {
        f"RLIMIT_{limit['Name'].upper()}": {
            "type": f"RLIMIT_{limit['Name'].upper()}",
            "soft": limit["Soft"] if limit["Soft"] >= 0 else 2**64 - 1,
            "hard": limit["Hard"] if limit["Hard"] >= 0 else 2**64 - 1,
        }
        for limit in host.get("Ulimits") or []
    }
    soft, hard = security.OPEN_FILES[0], min(security.OPEN_FILES[1], machine.open_files)
    default = {"type": "RLIMIT_NOFILE", "soft": min(soft, hard), "hard": hard}
    return list({"RLIMIT_NOFILE": default, **asked}.values())


def _mounts(record: ContainerRecord, prepared: Prepared) -> list[Json]:
    host = record.host_config
    access = [] if host.get("Privileged") else ["ro"]
    # In a user namespace the kernel lets nobody take "read-only" off a mount again, as runtimes do in passing.
    groups = [] if _writable_groups(host) or prepared.ids else ["ro"]
    safe = ["nosuid", "noexec", "nodev"]

    def mount(destination: str, kind: str, source: str, options: list[str]) -> Json:
        return {"destination": destination, "type": kind, "source": source, "options": options}

    own = [
        mount("/proc", "proc", "proc", safe),
        mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
        ),
        mount("/sys", "sysfs", "sysfs", [*safe, *access]),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", [*groups, *safe]),
    ]
    # The host's queues cannot be mounted by whoever is not root there.
    if not (prepared.ids and host.get("IpcMode") == "host"):
        own.append(mount("/dev/mqueue", "mqueue", "mqueue", safe))
    if prepared.shared_memory:
        own.append(mount(SHARED_MEMORY, "bind", prepared.shared_memory, ["rbind", *safe]))
    elif host.get("IpcMode") != "none":
        size = host.get("ShmSize") or 64 << 20
        own.append(mount(SHARED_MEMORY, "tmpfs", "shm", [*safe, "mode=1777", f"size={size}"]))
    for inside, outside in dict(prepared.files).items():
        own.append(mount(inside, "bind", outside, ["rbind", "rprivate"]))
    if prepared.init:
        own.append(mount(INIT, "bind", prepared.init, ["bind", "ro"]))
    theirs = mounts.oci(prepared.mounts, host.get("Tmpfs") or {})
    covered = {entry["destination"] for entry in theirs}
    return [*(entry for entry in own if entry["destination"] not in covered), *theirs]


def _linux(record: ContainerRecord, prepared: Prepared) -> Json:
    host = record.host_config
    resources = limits.resources(host, prepared.machine, prepared.pids_limit)
    if host.get("Privileged"):
        rules: list[Json] = [{"allow": True, "access": "rwm"}]
    else:
        rules = [*security.DEVICE_ALLOW, *security.device_rules(host.get("DeviceCgroupRules")), *prepared.device_rules]
    document: Json = {
        "namespaces": _namespaces(host, prepared),
        "cgroupsPath": prepared.cgroup,
        "resources": {**resources, "devices": rules} | ({"blockIO": prepared.block_io} if prepared.block_io else {}),
        "maskedPaths": security.masked(host),
        "readonlyPaths": security.readonly(host),
        "rootfsPropagation": _propagation(prepared.mounts),
    }
    if prepared.devices:
        document["devices"] = list(prepared.devices)
    if prepared.labels.mount:
        document["mountLabel"] = prepared.labels.mount
    if prepared.ids is not None:
        # The namespace has the map; runc wants to know it too.
        document["uidMappings"] = [one.oci() for one in prepared.ids.uids]
        document["gidMappings"] = [one.oci() for one in prepared.ids.gids]
    sysctls = security.sysctls(host, remapped=prepared.ids is not None)
    if sysctls:
        document["sysctl"] = sysctls
    if prepared.seccomp is not None:
        document["seccomp"] = prepared.seccomp
    return document


def _namespaces(host: Mapping[str, Any], prepared: Prepared) -> list[Json]:
    found: list[Json] = [{"type": "mount"}]
    for kind, mode in (("pid", "PidMode"), ("ipc", "IpcMode"), ("uts", "UTSMode")):
        if host.get(mode) != "host" and kind not in prepared.joined:
            found.append({"type": kind})
    found += [{"type": kind, "path": path} for kind, path in prepared.joined.items()]
    if prepared.netns is not None:
        found.append({"type": "network", "path": prepared.netns})
    if host.get("CgroupnsMode") == "private":
        found.append({"type": "cgroup"})
    return found


def _writable_groups(host: Mapping[str, Any]) -> bool:
    asked = security.options(host.get("SecurityOpt")).writable_cgroups
    return bool(host.get("Privileged")) if asked is None else asked


def _propagation(points: tuple[MountPoint, ...]) -> str:
    kinds = {point.propagation.removeprefix("r") for point in points if point.type == "bind"}
    if "shared" in kinds:
        return "shared"
    return "slave" if "slave" in kinds else "private"
