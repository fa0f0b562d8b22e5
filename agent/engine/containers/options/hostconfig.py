"""A container's ``HostConfig``: defaults filled in, and every option that we do not have refused by its name. Pure.

Clients send every key, most of them null or empty: that means "the default". A value of its own in a key that this
engine does not implement is an error, never ignored: the container would run with less than what was asked for.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from agent.engine.containers.logs.drivers import options as logging
from agent.engine.containers.options import devices, security
from agent.engine.errors import Invalid

Json = dict[str, Any]

DEFAULTS: Json = {
    "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}}, "NetworkMode": "default",
    "PortBindings": None, "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}, "AutoRemove": False, "VolumeDriver":
    "", "VolumesFrom": None, "CapAdd": None, "CapDrop": None, "CgroupnsMode": "host", "Dns": None, "DnsOptions": None,
    "DnsSearch": None, "ExtraHosts": None, "GroupAdd": None, "IpcMode": "private", "Cgroup": "", "Links": None,
    "OomScoreAdj": 0, "PidMode": "", "Privileged": False, "PublishAllPorts": False, "ReadonlyRootfs": False,
    "SecurityOpt": None, "UTSMode": "", "UsernsMode": "", "ShmSize": 0, "ConsoleSize": [0, 0],
    "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0,
    "BlkioWeightDevice": None, "BlkioDeviceReadBps": None, "BlkioDeviceWriteBps": None, "BlkioDeviceReadIOps": None,
    "BlkioDeviceWriteIOps": None, "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0,
    "CpusetCpus": "", "CpusetMems": "", "Devices": None, "DeviceCgroupRules": None, "DeviceRequests": None,
    "KernelMemory": 0, "KernelMemoryTCP": 0, "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": None,
    "OomKillDisable": False, "PidsLimit": None, "Ulimits": None, "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0, "MaskedPaths": None, "ReadonlyPaths": None,
}  # fmt: skip
_OPTIONAL = ("Annotations", "Init", "Mounts", "Runtime", "StorageOpt", "Sysctls", "Tmpfs")

# Key, values without an argument, may name a container, dockerd's words for the rest.
_MODES: tuple[tuple[str, frozenset[str], bool, str], ...] = (
    ("IpcMode", frozenset({"", "none", "private", "shareable", "host"}), True, "invalid IPC mode"),
    ("PidMode", frozenset({"", "host"}), True, "invalid PID mode"),
    ("UTSMode", frozenset({"", "host"}), False, "invalid UTS mode"),
    ("UsernsMode", frozenset({"", "host"}), False, "invalid user namespace mode"),
    ("CgroupnsMode", frozenset({"", "host", "private"}), False, "invalid cgroup namespace mode"),
)
_DEVICE_REQUEST: Json = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": None, "Options": None}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)i?b?")
_DIGITS = 18
CONTAINER = "container:"
SHARED = ("PidMode", "IpcMode", "NetworkMode")
"""Modes that may name a container whose namespace is shared."""


def completed(
    given: Mapping[str, Any] | None,
    *,
    cgroup_version: int,
    shm_size: int,
    runtime: str,
    runtimes: Collection[str] = (),
    log_default: logging.Default = logging.DOCKERS,
) -> Json:
    """The HostConfig as inspect shows it.

    Args:
        given: the request's.
        cgroup_version: of the host.
        shm_size: where the client names none.
        runtime: the default one.
        runtimes: all that can be chosen.
        log_default: for a container that names no log driver.

    Raises:
        Invalid: an option that this engine has not, or a value that cannot be.
    """
    given = given or {}
    host = {key: default if given.get(key) is None else given[key] for key, default in DEFAULTS.items()}
    host |= {key: given[key] for key in _OPTIONAL if given.get(key) not in (None, "")}
    if given:
        host.setdefault("Runtime", runtime)
    host["PidsLimit"] = host["PidsLimit"] or None
    host["OomKillDisable"] = bool(host["OomKillDisable"])
    _refuse(given)
    if host.get("Runtime", runtime) not in {runtime, *runtimes}:
        raise Invalid(f"Unknown runtime specified {host['Runtime']}")
    host["CgroupnsMode"] = given.get("CgroupnsMode") or ("private" if cgroup_version == 2 else "host")
    host["IpcMode"] = host["IpcMode"] or "private"
    host["NetworkMode"] = host["NetworkMode"] or "default"
    host["ShmSize"] = host["ShmSize"] or shm_size
    host["LogConfig"] = logging.completed(given.get("LogConfig"), log_default)
    host["RestartPolicy"] = restart_policy(host["RestartPolicy"], auto_remove=bool(host["AutoRemove"]))
    host["Ulimits"] = _ulimits(host["Ulimits"])
    if host["DeviceRequests"]:
        host["DeviceRequests"] = [{**_DEVICE_REQUEST, **request} for request in host["DeviceRequests"]]
    if host["Memory"] > 0 and not host["MemorySwap"]:
        host["MemorySwap"] = 2 * host["Memory"]
    if host["MemorySwappiness"] == -1:
        host["MemorySwappiness"] = None
    if not -1000 <= host["OomScoreAdj"] <= 1000:
        raise Invalid(f"Invalid value {host['OomScoreAdj']}, range for oom score adj is [-1000, 1000]")
    if host["ShmSize"] < 0:
        raise Invalid("SHM size can not be less than 0")
    security.capabilities(host, security.DEFAULT_CAPABILITIES)
    options = security.options(host["SecurityOpt"])
    devices.check(host["Devices"])
    if not options.label and (host["Privileged"] or "host" in {host["PidMode"], host["IpcMode"]}):
        host["SecurityOpt"] = [*(host["SecurityOpt"] or []), "label=disable"]
    if host["Privileged"]:
        host["MaskedPaths"] = host["ReadonlyPaths"] = None
    else:
        host["MaskedPaths"] = list(security.DOCKER_MASKED) if host["MaskedPaths"] is None else host["MaskedPaths"]
        if host["ReadonlyPaths"] is None:
            host["ReadonlyPaths"] = list(security.DOCKER_READONLY)
    return host


def layer_size(options: Mapping[str, str] | None) -> int:
    """Bytes that a writable layer may hold, of ``--storage-opt size=``; 0: no limit. Pure.

    Raises:
        Invalid: another option, or no size.
    """
    size = 0
    for key, text in (options or {}).items():
        if key.lower() != "size":
            raise Invalid(f"Unknown option {key}")
        found = _SIZE.fullmatch(text.strip().lower())
        if found is None or len(found[1]) > _DIGITS:
            raise Invalid(f"invalid size: '{text}'")
        size = int(float(found[1]) * 1024 ** "bkmgtp".index(found[2] or "b"))
    return size


def check_users(host: Mapping[str, Any]) -> None:
    """Judge what cannot be in a user namespace.

    Raises:
        Invalid: in dockerd's words.
    """
    if host["Privileged"]:
        raise Invalid(
            "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace"
            " when running privileged mode"
        )
    if host["NetworkMode"] == "host":
        raise Invalid("cannot share the host's network namespace when user namespaces are enabled")
    if host["PidMode"] == "host":
        raise Invalid("cannot share the host PID namespace when user namespaces are enabled")
    if security.options(host["SecurityOpt"]).writable_cgroups is not None:
        raise Invalid("option WritableCgroups conflicts with user namespaces and rootless mode")


def _refuse(given: Mapping[str, Any]) -> None:
    for key, modes, joins, words in _MODES:
        mode = given.get(key) or ""
        if mode not in modes and not (joins and mode.startswith(CONTAINER) and mode != CONTAINER):
            raise Invalid(f"{words}: {mode}")
    if (given.get("NetworkMode") or "") in {CONTAINER, CONTAINER.rstrip(":")}:
        raise Invalid("Invalid network mode: invalid container format container:<name|id>")
    if (isolation := given.get("Isolation") or "default") != "default":
        raise Invalid(f"invalid isolation ({isolation}): linux only supports 'default'")
    for key, what in (("IOMaximumIOps", "IOPs"), ("IOMaximumBandwidth", "bandwidth")):
        if given.get(key):
            raise Invalid(f"Invalid QoS settings: linux does not support configuration of maximum {what}")
    for key, value in given.items():
        if key not in DEFAULTS and key not in _OPTIONAL and value:
            raise Invalid(f"HostConfig.{key} is not known: {value!r}")
    security.check_annotations(given.get("Annotations") or {})


def restart_policy(policy: Mapping[str, Any], *, auto_remove: bool) -> Json:
    """A restart policy with its defaults.

    Raises:
        Invalid: in dockerd's words.
    """
    name, count = policy.get("Name") or "", policy.get("MaximumRetryCount") or 0
    if name in {"always", "unless-stopped", "no"} and count:
        raise Invalid(f"maximum retry count cannot be used with restart policy '{name}'")
    if name == "on-failure" and count < 0:
        raise Invalid("maximum retry count cannot be negative")
    if name not in {"", "no", "always", "unless-stopped", "on-failure"}:
        raise Invalid(f"invalid restart policy '{name}'")
    if auto_remove and name not in {"", "no"}:
        raise Invalid("can't create 'AutoRemove' container with restart policy")
    return {"Name": name, "MaximumRetryCount": count}


def _ulimits(limits: list[Mapping[str, Any]] | None) -> list[Json] | None:
    for limit in limits or []:
        if f"RLIMIT_{str(limit.get('Name', '')).upper()}" not in security.RLIMITS:
            raise Invalid(f"invalid ulimit type: {limit.get('Name')}")
        if limit.get("Hard", 0) != -1 and limit.get("Soft", 0) > limit.get("Hard", 0):
            bounds = f"{limit['Soft']} > {limit['Hard']}"
            raise Invalid(f"ulimit soft limit must be less than or equal to hard limit: {bounds}")
    return None if limits is None else [dict(limit) for limit in limits]
