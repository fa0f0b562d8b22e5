"""What the engine says of itself, in Docker's words. Pure: facts in, JSON out.

Docker Engine API: SystemVersion, SystemInfo, SystemDataUsage.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.engine.api import versions
from agent.engine.containers.oci import cdi

Json = dict[str, Any]

# Security options had a name and nothing more.
LAST_WITH_BARE_NAMES: versions.Version = (1, 24)
# From here on a request may say what it wants to know, and gets null for the rest.
KINDS_SINCE: versions.Version = (1, 42)


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the engine runs."""

    engine_id: str
    root: str
    name: str
    kernel: str
    operating_system: str
    os_version: str
    architecture: str
    machine: str
    """The kernel's word for the architecture: x86_64."""
    cpus: int
    memory: int
    cgroup_version: int
    swap_limit: bool
    runtime: str
    runtime_version: str
    conmon_version: str
    init_version: str
    seccomp: bool
    build_time: str = "2026-01-01T00:00:00.000000000+00:00"
    log_driver: str = "json-file"
    labels: Sequence[str] = ()
    insecure: Sequence[str] = ()
    warnings: Sequence[str] = field(default_factory=tuple)
    runtimes: Mapping[str, str] = field(default_factory=dict)
    """Name → program."""
    apparmor: bool = False
    selinux: bool = False
    userns: bool = False
    filesystem: str = ""
    """Of the data root, by the kernel's name."""
    driver: str = "overlay2"
    """Of the data root's layers."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What changes."""

    running: int
    paused: int
    stopped: int
    images: int
    descriptors: int
    tasks: int
    listeners: int
    now: str
    forwarding: bool
    debug: bool
    volume_drivers: Sequence[str] = ("local",)
    warnings: Sequence[str] = ()
    """Of the host's networks."""


def version(facts: Facts) -> Json:
    """``GET /version``."""
    newest, oldest = versions.text(versions.NEWEST), versions.text(versions.OLDEST)
    return {
        "Platform": {"Name": "Longshore"},
        "Components": [
            {
                "Name": "Engine",
                "Version": versions.ENGINE,
                "Details": {
                    "ApiVersion": newest,
                    "Arch": facts.architecture,
                    "BuildTime": facts.build_time,
                    "Experimental": "false",
                    "GitCommit": "",
                    "GoVersion": "",
                    "KernelVersion": facts.kernel,
                    "MinAPIVersion": oldest,
                    "Os": "linux",
                },
            },
            {"Name": facts.runtime, "Version": facts.runtime_version, "Details": {"GitCommit": ""}},
            {"Name": "conmon", "Version": facts.conmon_version, "Details": {"GitCommit": ""}},
            {"Name": "docker-init", "Version": facts.init_version, "Details": {"GitCommit": ""}},
        ],
        "Version": versions.ENGINE,
        "ApiVersion": newest,
        "MinAPIVersion": oldest,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": facts.architecture,
        "KernelVersion": facts.kernel,
        "BuildTime": facts.build_time,
    }


def _driver_status(facts: Facts) -> list[list[str]] | None:
    """dockerd's lines of each storage driver: only overlay2 has any."""
    if facts.driver != "overlay2":
        return [] if facts.driver == "fuse-overlayfs" else None
    return [
        ["Backing Filesystem", "extfs" if facts.filesystem.startswith("ext") else facts.filesystem],
        ["Supports d_type", "true"],
        ["Using metacopy", "false"],
        ["Native Overlay Diff", "true"],
        ["userxattr", "false"],
    ]


def info(facts: Facts, counts: Counts, asked: versions.Version) -> Json:
    """``GET /info``."""
    found: Json = {
        "ID": facts.engine_id,
        "Containers": counts.running + counts.paused + counts.stopped,
        "ContainersRunning": counts.running,
        "ContainersPaused": counts.paused,
        "ContainersStopped": counts.stopped,
        "Images": counts.images,
        "Driver": facts.driver,
        "DriverStatus": _driver_status(facts),
        "Plugins": {
            "Volume": list(counts.volume_drivers),
            "Network": ["bridge", "host", "ipvlan", "macvlan", "null"],
            "Authorization": None,
            "Log": ["journald", "json-file", "local", "syslog"],
        },
        "MemoryLimit": True,
        "SwapLimit": facts.swap_limit,
        "CpuCfsPeriod": True,
        "CpuCfsQuota": True,
        "CPUShares": True,
        "CPUSet": True,
        "PidsLimit": True,
        "IPv4Forwarding": counts.forwarding,
        "BridgeNfIptables": True,
        "BridgeNfIp6tables": True,
        "Debug": counts.debug,
        "NFd": counts.descriptors,
        "OomKillDisable": facts.cgroup_version == 1,
        "NGoroutines": counts.tasks,
        "SystemTime": counts.now,
        "LoggingDriver": facts.log_driver,
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": str(facts.cgroup_version),
        "NEventsListener": counts.listeners,
        "KernelVersion": facts.kernel,
        "OperatingSystem": facts.operating_system,
        "OSVersion": facts.os_version,
        "OSType": "linux",
        "Architecture": facts.machine,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": _registries(facts.insecure),
        "NCPU": facts.cpus,
        "MemTotal": facts.memory,
        "GenericResources": None,
        "DockerRootDir": facts.root,
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "Name": facts.name,
        "Labels": list(facts.labels),
        "ExperimentalBuild": False,
        "ServerVersion": versions.ENGINE,
        "Runtimes": {name: {"path": path} for name, path in (facts.runtimes or {facts.runtime: facts.runtime}).items()},
        "DefaultRuntime": facts.runtime,
        "Swarm": {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "inactive",
            "ControlAvailable": False,
            "Error": "",
            "RemoteManagers": None,
        },
        "LiveRestoreEnabled": True,
        "Isolation": "",
        "InitBinary": "docker-init",
        "ContainerdCommit": {"ID": "", "Expected": ""},
        "RuncCommit": {"ID": facts.runtime_version, "Expected": facts.runtime_version},
        "InitCommit": {"ID": facts.init_version, "Expected": facts.init_version},
        "SecurityOptions": _security(facts),
        "Warnings": [*facts.warnings, *counts.warnings] or None,
    }
    if asked >= (1, 46):
        found["CDISpecDirs"] = [str(directory) for directory in cdi.DIRECTORIES]
    if asked <= (1, 41):
        found |= {"KernelMemory": False, "KernelMemoryTCP": False}
    if asked <= LAST_WITH_BARE_NAMES:
        found["ExecutionDriver"] = "<not supported>"
        found["SecurityOptions"] = [re.split("[=,]", option)[1] for option in found["SecurityOptions"]]
    return found


def _security(facts: Facts) -> list[str]:
    options = (
        ("apparmor", facts.apparmor),
        ("seccomp,profile=default", facts.seccomp),
        ("selinux", facts.selinux),
        ("userns", facts.userns),
        ("cgroupns", facts.cgroup_version == 2),
    )
    return [f"name={name}" for name, present in options if present]


def _registries(insecure: Sequence[str]) -> Json:
    return {
        "AllowNondistributableArtifactsCIDRs": [],
        "AllowNondistributableArtifactsHostnames": [],
        "InsecureRegistryCIDRs": ["127.0.0.0/8", *(entry for entry in insecure if "/" in entry)],
        "IndexConfigs": {
            "docker.io": {"Name": "docker.io", "Mirrors": [], "Secure": True, "Official": True},
            **{
                entry: {"Name": entry, "Mirrors": [], "Secure": False, "Official": False}
                for entry in insecure
                if "/" not in entry
            },
        },
        "Mirrors": [],
    }


def disk_usage(
    *,
    layers: int,
    images: Sequence[Mapping[str, Any]],
    containers: Sequence[Mapping[str, Any]],
    volumes: Sequence[Mapping[str, Any]],
    kinds: set[str],
    asked: versions.Version,
) -> Json:
    """``GET /system/df``; kinds that were not asked for are null."""
    recent = asked >= KINDS_SINCE
    found: Json = {
        "LayersSize": layers if "image" in kinds else 0,
        "Images": list(images) if "image" in kinds else None,
        "Containers": list(containers) if "container" in kinds else None,
        "Volumes": list(volumes) if "volume" in kinds else None,
        "BuildCache": [] if recent and "build-cache" in kinds else None,
    }
    return found if recent else found | {"BuilderSize": 0}
