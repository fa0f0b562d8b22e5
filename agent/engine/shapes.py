"""The types that Docker's structs have, for JSON from outside: requests, and configurations of images. Pure.

A value of another type would be stored, and every answer that holds it would then break its reader. Words are those of
Go's encoding/json, which takes null for anything and knows no NaN.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

Shape = Any
"""A name of the table below, ``[shape]`` of a list, ``{"*": shape}`` of a map, or the fields of an object."""

TEXT, NUMBER, FLAG, WORDS = "string", "int64", "bool", "strslice.StrSlice"
_TEXTS: Final = [TEXT]
_MAP: Final = {"*": TEXT}
_SET: Final[Shape] = {"*": {}}
_PYTHON: Final[Mapping[str, Any]] = {TEXT: str, NUMBER: int, FLAG: bool}
_LARGEST = 1 << 63
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def _all(kind: str, names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), kind)


HEALTHCHECK: Final[Shape] = {"Test": _TEXTS, **_all(NUMBER, "Interval Timeout StartPeriod StartInterval Retries")}
CONFIG: Final[Shape] = {
    **_all(TEXT, "Hostname Domainname User Image WorkingDir MacAddress StopSignal"),
    **_all(FLAG, "AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce ArgsEscaped NetworkDisabled"),
    **dict.fromkeys(("Cmd", "Entrypoint", "Shell"), WORDS),
    **dict.fromkeys(("Env", "OnBuild"), _TEXTS),
    **dict.fromkeys(("ExposedPorts", "Volumes"), _SET),
    "Labels": _MAP, "StopTimeout": NUMBER, "Healthcheck": HEALTHCHECK,
}  # fmt: skip
_DRIVER: Final[Shape] = {"Name": TEXT, "Options": _MAP}
MOUNT: Final[Shape] = {
    **_all(TEXT, "Type Source Target Consistency"), "ReadOnly": FLAG,
    "BindOptions": {
        "Propagation": TEXT, **_all(FLAG, "NonRecursive CreateMountpoint ReadOnlyNonRecursive ReadOnlyForceRecursive"),
    },
    "VolumeOptions": {"NoCopy": FLAG, "Labels": _MAP, "Subpath": TEXT, "DriverConfig": _DRIVER},
    "TmpfsOptions": {"SizeBytes": NUMBER, "Mode": NUMBER, "Options": [_TEXTS]},
    "ImageOptions": {"Subpath": TEXT},
}  # fmt: skip
_WEIGHTS: Final[Shape] = [{"Path": TEXT, "Weight": NUMBER}]
_RATES: Final[Shape] = [{"Path": TEXT, "Rate": NUMBER}]
RESOURCES: Final[Shape] = {
    **_all(NUMBER, "CpuShares Memory NanoCpus BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime "
                   "KernelMemory KernelMemoryTCP MemoryReservation MemorySwap MemorySwappiness PidsLimit CpuCount "
                   "CpuPercent IOMaximumIOps IOMaximumBandwidth"),
    **_all(TEXT, "CgroupParent CpusetCpus CpusetMems"),
    **dict.fromkeys(("BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps"),
                    _RATES),
    "OomKillDisable": FLAG, "BlkioWeightDevice": _WEIGHTS, "DeviceCgroupRules": _TEXTS,
    "Devices": [_all(TEXT, "PathOnHost PathInContainer CgroupPermissions")],
    "DeviceRequests": [{
        "Driver": TEXT, "Count": NUMBER, "DeviceIDs": _TEXTS, "Capabilities": [_TEXTS], "Options": _MAP,
    }],
    "Ulimits": [{"Name": TEXT, "Soft": NUMBER, "Hard": NUMBER}],
    "RestartPolicy": {"Name": TEXT, "MaximumRetryCount": NUMBER},
}  # fmt: skip
HOST_CONFIG: Final[Shape] = {
    **RESOURCES,
    **_all(TEXT, "ContainerIDFile NetworkMode VolumeDriver CgroupnsMode IpcMode Cgroup PidMode UTSMode UsernsMode "
                 "Isolation Runtime"),
    **_all(FLAG, "AutoRemove Privileged PublishAllPorts ReadonlyRootfs Init"),
    **_all(NUMBER, "OomScoreAdj ShmSize"),
    **dict.fromkeys(("Binds", "VolumesFrom", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Links",
                     "SecurityOpt", "MaskedPaths", "ReadonlyPaths"), _TEXTS),
    **dict.fromkeys(("CapAdd", "CapDrop"), WORDS),
    **dict.fromkeys(("Annotations", "StorageOpt", "Sysctls", "Tmpfs"), _MAP),
    "LogConfig": {"Type": TEXT, "Config": _MAP}, "ConsoleSize": [NUMBER], "Mounts": [MOUNT],
    "PortBindings": {"*": [{"HostIp": TEXT, "HostPort": TEXT}]},
}  # fmt: skip
ENDPOINT: Final[Shape] = {
    **_all(TEXT, "NetworkID EndpointID Gateway IPAddress IPv6Gateway GlobalIPv6Address MacAddress"),
    **_all(NUMBER, "IPPrefixLen GlobalIPv6PrefixLen GwPriority"),
    **dict.fromkeys(("Links", "Aliases", "DNSNames"), _TEXTS),
    "IPAMConfig": {**_all(TEXT, "IPv4Address IPv6Address"), "LinkLocalIPs": _TEXTS}, "DriverOpts": _MAP,
}  # fmt: skip
CREATE: Final[Shape] = {
    **CONFIG, "HostConfig": HOST_CONFIG, "NetworkingConfig": {"EndpointsConfig": {"*": ENDPOINT}}, "Runtime": TEXT,
}  # fmt: skip
NETWORK: Final[Shape] = {
    "IPAM": {
        "Driver": TEXT, "Options": _MAP,
        "Config": [{**_all(TEXT, "Subnet IPRange Gateway"), "AuxiliaryAddresses": _MAP}],
    },
    "Options": _MAP, "Labels": _MAP,
}  # fmt: skip
IMAGE: Final[Shape] = {
    **_all(TEXT, "created author architecture os variant os.version comment container docker_version"),
    "config": CONFIG,
    "history": [{**_all(TEXT, "created created_by author comment"), "empty_layer": FLAG}],
}  # fmt: skip


def wrong(value: Any, shape: Shape, at: str = "") -> str:
    """What of a value has another type, in Go's words; empty where all is well. Keys that no shape names are passed."""
    if value is None:
        return ""
    if shape is WORDS:
        shape = _TEXTS if isinstance(value, list) else TEXT
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _words(value, at, f"[]{_name(shape[0])}")
        return next(filter(None, (wrong(item, shape[0], at) for item in value)), "")
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return _words(value, at, _name(shape))
        every = shape.get("*")
        inner = ((item, every, at) if every is not None else (item, shape[key], f"{at}.{key}".lstrip("."))
                 for key, item in value.items() if every is not None or key in shape)  # fmt: skip
        return next(filter(None, (wrong(*one) for one in inner)), "")
    fits = type(value) is _PYTHON[shape] and not (shape == NUMBER and not -_LARGEST <= value < _LARGEST)
    return "" if fits else _words(value, at, shape)


def loads(text: str | bytes) -> Any:
    """Read JSON as Go does: without NaN and Infinity, and without numbers that would become one.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text, parse_constant=refuse, parse_float=finite)
    return whole(value) if halves(text if isinstance(text, str) else text.decode(errors="replace")) else value


def whole(value: Any) -> Any:
    """A value without half characters, which JSON can write and UTF-8 cannot: Go reads U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {whole(key): whole(item) for key, item in value.items()}
    return [whole(item) for item in value] if isinstance(value, list) else value


def halves(text: str) -> bool:
    """Whether a text may hold half characters."""
    return _HALF.search(text) is not None


def refuse(constant: str) -> NoReturn:
    """For ``parse_constant`` of Python's decoder.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"invalid character '{constant.lstrip('-')[0]}' looking for beginning of value")


def finite(text: str) -> float:
    """For ``parse_float`` of Python's decoder.

    Raises:
        ValueError: larger than any float.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"json: cannot unmarshal number {text[:40]} into Go value of type float64")
    return value


def kind(value: Any) -> str:
    """The name that Go's encoding/json has for a value's type."""
    if isinstance(value, bool):
        return "bool"
    names: dict[type, str] = {int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _words(value: Any, at: str, wanted: str) -> str:
    what = kind(value)
    if what == "number" and wanted == NUMBER:
        what = f"number {value}"[:60]
    return f"json: cannot unmarshal {what} into Go struct field {at} of type {wanted}"


def _name(shape: Shape) -> str:
    if isinstance(shape, list):
        return f"[]{_name(shape[0])}"
    if isinstance(shape, Mapping):
        return f"map[string]{_name(shape['*'])}" if "*" in shape else "struct"
    return "[]string" if shape is WORDS else str(shape)
