"""The body of Docker's ContainerCreate as users may write it. Pure.

Every name that a user may set stands here with the JSON type that Docker wants; anything else is an error, never
ignored. Whether an option makes sense is the engine's to say; whether it needs `containers.privileged` is said here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from controlplane.common.errors import FieldError, field_error

Shape = Any
TEXT, NUMBER, FLAG, WORDS, OBJECT, OBJECTS = "text", "number", "flag", "list of text", "object", "list of objects"
STRINGS, COMMAND = "object of text", "text or list of text"

CONFIG: Final[Mapping[str, Shape]] = {
    "Cmd": COMMAND, "Entrypoint": COMMAND, "Env": WORDS, "WorkingDir": TEXT, "User": TEXT, "Hostname": TEXT,
    "Domainname": TEXT, "Tty": FLAG, "OpenStdin": FLAG, "StdinOnce": FLAG, "AttachStdin": FLAG, "AttachStdout": FLAG,
    "AttachStderr": FLAG, "Labels": STRINGS, "ExposedPorts": OBJECT, "Volumes": OBJECT, "StopSignal": TEXT,
    "StopTimeout": NUMBER, "MacAddress": TEXT, "NetworkDisabled": FLAG, "Shell": WORDS,
}  # fmt: skip
HEALTHCHECK: Final[Mapping[str, Shape]] = {
    "Test": WORDS, "Interval": NUMBER, "Timeout": NUMBER, "StartPeriod": NUMBER, "StartInterval": NUMBER,
    "Retries": NUMBER,
}  # fmt: skip
HOST_CONFIG: Final[Mapping[str, Shape]] = {
    "Binds": WORDS, "LogConfig": OBJECT, "NetworkMode": TEXT, "PortBindings": OBJECT, "RestartPolicy": OBJECT,
    "AutoRemove": FLAG, "CapAdd": WORDS, "CapDrop": WORDS, "CgroupnsMode": TEXT, "Dns": WORDS, "DnsOptions": WORDS,
    "DnsSearch": WORDS, "ExtraHosts": WORDS, "GroupAdd": WORDS, "IpcMode": TEXT, "OomScoreAdj": NUMBER,
    "PidMode": TEXT, "Privileged": FLAG, "PublishAllPorts": FLAG, "ReadonlyRootfs": FLAG, "SecurityOpt": WORDS,
    "Tmpfs": STRINGS, "UTSMode": TEXT, "UsernsMode": TEXT, "ShmSize": NUMBER, "Sysctls": STRINGS, "Runtime": TEXT,
    "Memory": NUMBER, "MemoryReservation": NUMBER, "MemorySwap": NUMBER, "NanoCpus": NUMBER, "CpuShares": NUMBER,
    "CpuPeriod": NUMBER, "CpuQuota": NUMBER, "CpusetCpus": TEXT, "CpusetMems": TEXT, "PidsLimit": NUMBER,
    "Ulimits": OBJECTS, "OomKillDisable": FLAG, "Init": FLAG, "Mounts": OBJECTS, "Devices": OBJECTS,
    "DeviceRequests": OBJECTS, "DeviceCgroupRules": WORDS, "StorageOpt": STRINGS, "Annotations": STRINGS,
    "VolumesFrom": WORDS, "VolumeDriver": TEXT,
}  # fmt: skip
MOUNT: Final[Mapping[str, Shape]] = {
    "Type": TEXT, "Source": TEXT, "Target": TEXT, "ReadOnly": FLAG, "Consistency": TEXT, "BindOptions": OBJECT,
    "VolumeOptions": OBJECT, "TmpfsOptions": OBJECT, "ImageOptions": OBJECT,
}  # fmt: skip
VOLUME_OPTIONS: Final[Mapping[str, Shape]] = {
    "NoCopy": FLAG, "Labels": STRINGS, "DriverConfig": OBJECT, "Subpath": TEXT,
}  # fmt: skip
DRIVER: Final[Mapping[str, Shape]] = {"Name": TEXT, "Options": STRINGS}
LIMITS: Final = ("Memory", "MemoryReservation", "MemorySwap", "NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota",
                 "CpusetCpus", "CpusetMems", "PidsLimit")  # fmt: skip

# The engine's default set: what is added beyond it needs the right.
DEFAULT_CAPABILITIES: Final = frozenset(
    [
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
    ]
)
LARGEST_NUMBER: Final = 1 << 62
RESERVED_LABEL: Final = "longshore."

_LOG_DRIVERS: Final = (None, "", "json-file", "local", "none", "journald", "syslog")


def problems(spec: Mapping[str, Any]) -> list[FieldError]:
    """Everything that is wrong with a spec; pointers begin at `/spec`."""
    found = list(
        _check(spec, {**CONFIG, "Healthcheck": OBJECT, "HostConfig": OBJECT, "NetworkingConfig": OBJECT}, "/spec")
    )
    for name, table in (("Healthcheck", HEALTHCHECK), ("HostConfig", HOST_CONFIG)):
        if isinstance(spec.get(name), Mapping):
            found += _check(spec[name], table, f"/spec/{name}")
    if isinstance(spec.get("NetworkingConfig"), Mapping):
        found += _check(spec["NetworkingConfig"], {"EndpointsConfig": OBJECT}, "/spec/NetworkingConfig")
    host = _host(spec)
    mounts = host.get("Mounts")
    for n, mount in enumerate(mounts if isinstance(mounts, list) else []):
        if isinstance(mount, Mapping):
            found += _check_mount(mount, f"/spec/HostConfig/Mounts/{n}")
    return found or list(_check_words(spec))


def _check_mount(mount: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    yield from _check(mount, MOUNT, pointer)
    # an engine in Go would take "driverConfig" too, and we would not have seen what it mounts
    options = mount.get("VolumeOptions")
    if isinstance(options, Mapping):
        yield from _check(options, VOLUME_OPTIONS, f"{pointer}/VolumeOptions")
        if isinstance(options.get("DriverConfig"), Mapping):
            yield from _check(options["DriverConfig"], DRIVER, f"{pointer}/VolumeOptions/DriverConfig")


def _check(value: Mapping[str, Any], table: Mapping[str, Shape], pointer: str) -> Iterator[FieldError]:
    for name, item in value.items():
        shape = table.get(name)
        if shape is None:
            yield field_error(
                f"{pointer}/{name}",
                "unknown_field",
                f"{pointer}/{name} is not an option of Docker's that can be set here",
            )
        elif item is not None and not _is(item, shape):
            yield field_error(f"{pointer}/{name}", "bad_type", f"{pointer}/{name} must be {shape}", shape=shape)


def _is(item: Any, shape: Shape) -> bool:
    texts = isinstance(item, list) and all(isinstance(one, str) for one in item)
    match shape:
        case "text":
            return isinstance(item, str)
        case "number":
            return isinstance(item, int) and not isinstance(item, bool) and abs(item) < LARGEST_NUMBER
        case "flag":
            return isinstance(item, bool)
        case "list of text":
            return texts
        case "text or list of text":
            return texts or isinstance(item, str)
        case "object of text":
            return isinstance(item, Mapping) and all(isinstance(one, str) for one in item.values())
        case "object":
            return isinstance(item, Mapping)
        case _:
            return isinstance(item, list) and all(isinstance(one, Mapping) for one in item)


def _check_words(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for n, entry in enumerate(spec.get("Env") or []):
        key = entry.partition("=")[0]
        if not key or key in seen:
            yield field_error(f"/spec/Env/{n}", "bad_env", f"Environment: {key!r} is empty or stands twice")
        seen.add(key)
    for label in spec.get("Labels") or {}:
        if not label or label.startswith(RESERVED_LABEL):
            yield field_error(
                f"/spec/Labels/{label}", "bad_label", f"Label {label!r}: empty, or begins with longshore."
            )
    host = _host(spec)
    targets: set[str] = set()
    for n, mount in enumerate(host.get("Mounts") or []):
        target = str(mount.get("Target") or "")
        if not target.startswith("/") or target == "/" or target in targets:
            detail = f"Mount target {target!r}: must be absolute, not /, and stand once"
            yield field_error(f"/spec/HostConfig/Mounts/{n}/Target", "bad_target", detail)
        targets.add(target)
    if host.get("AutoRemove") and (host.get("RestartPolicy") or {}).get("Name") not in {None, "", "no"}:
        yield field_error(
            "/spec/HostConfig/AutoRemove", "conflict", "A restart policy and removal at exit exclude each other"
        )


def privileged_reasons(spec: Mapping[str, Any]) -> list[str]:
    """What in a spec reaches past the container's own walls; all of it needs `containers.privileged`."""
    host = _host(spec)
    found = [name for name in ("Privileged", "Devices", "DeviceRequests", "DeviceCgroupRules", "Runtime", "Annotations",
                               "OomKillDisable", "VolumesFrom") if host.get(name)]  # fmt: skip
    if host.get("OomScoreAdj", 0) and host["OomScoreAdj"] < 0:
        found.append("OomScoreAdj")
    for capability in host.get("CapAdd") or []:
        if capability.upper().removeprefix("CAP_") not in DEFAULT_CAPABILITIES:
            found.append(f"CapAdd {capability}")
    found += [f"SecurityOpt {option}" for option in host.get("SecurityOpt") or [] if not _tightens(option)]
    for name in ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode", "NetworkMode"):
        mode = str(host.get(name) or "")
        if mode == "host" or mode.startswith("container:"):
            found.append(f"{name} {mode}")
    found += [f"bind {bind}" for bind in host.get("Binds") or [] if bind.startswith(("/", ".", "~"))]
    for mount in host.get("Mounts") or []:
        driver = ((mount.get("VolumeOptions") or {}).get("DriverConfig") or {}).get("Options")
        if mount.get("Type") not in {"volume", "tmpfs", "image"} or driver:
            found.append(f"mount {mount.get('Source') or mount.get('Target')}")
    if _sends_logs(host.get("LogConfig") or {}):
        found.append("LogConfig with an address")
    return found


def _sends_logs(log: Mapping[str, Any]) -> bool:
    """The engine would speak, as root and from its host, to whatever address the options name."""
    # dockerd takes the names of an object in any case
    known = set(log) <= {"Type", "Config"} and log.get("Type") in _LOG_DRIVERS
    return not known or any(str(key).startswith(("syslog-address", "syslog-tls")) for key in log.get("Config") or {})


def _tightens(option: str) -> bool:
    return option in {"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"}


def _host(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    host = spec.get("HostConfig")
    return host if isinstance(host, Mapping) else {}


def masked_env(env: Any) -> list[str]:
    """Environment without its values, for eyes without `secrets.read`."""
    return [f"{str(entry).partition('=')[0]}=••••" for entry in env or []]
