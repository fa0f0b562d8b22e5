"""Weights and throttles of block devices: from Docker's paths to the kernel's numbers."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.engine.errors import Invalid, System

Json = dict[str, Any]

THROTTLES = {
    "BlkioDeviceReadBps": "throttleReadBpsDevice",
    "BlkioDeviceWriteBps": "throttleWriteBpsDevice",
    "BlkioDeviceReadIOps": "throttleReadIOPSDevice",
    "BlkioDeviceWriteIOps": "throttleWriteIOPSDevice",
}
"""HostConfig's key → the OCI one."""
WEIGHT, WEIGHTS = "BlkioWeight", "BlkioWeightDevice"


def check(host: Mapping[str, Any], *, weights: bool) -> list[str]:
    """Judge the block IO options; gives warnings. Pure.

    Args:
        host: ``HostConfig``; what the kernel has not is taken out of it.
        weights: the kernel knows weights.

    Raises:
        Invalid: a value that cannot be.
    """
    for key in (*THROTTLES, WEIGHTS):
        for entry in host.get(key) or ():
            value = entry.get("Weight" if key == WEIGHTS else "Rate")
            if not isinstance(entry.get("Path"), str) or not isinstance(value, int) or value < 0:
                raise Invalid(f"HostConfig.{key} wants a Path and a number: {entry!r}")
    if not weights:
        return [
            f"Your kernel does not support Block I/O {words} or the cgroup is not mounted. {what} discarded."
            for key, words, what in ((WEIGHT, "weight", "Weight"), (WEIGHTS, "weight_device", "Weight-device"))
            if host.get(key)
        ]
    for weight in (host.get(WEIGHT) or 0, *(entry["Weight"] for entry in host.get(WEIGHTS) or ())):
        if weight and not 10 <= weight <= 1000:
            raise Invalid("Range of blkio weight is from 10 to 1000")
    return []


def resources(host: Mapping[str, Any]) -> Json:
    """The OCI ``blockIO``. Looks the devices up.

    Raises:
        System: no such device.
    """
    found: Json = {}
    if host.get(WEIGHT):
        found["weight"] = host[WEIGHT]
    if host.get(WEIGHTS):
        found["weightDevice"] = [{**_device(entry["Path"]), "weight": entry["Weight"]} for entry in host[WEIGHTS]]
    for key, name in THROTTLES.items():
        if host.get(key):
            found[name] = [{**_device(entry["Path"]), "rate": entry["Rate"]} for entry in host[key]]
    return found


def _device(path: str) -> Json:
    try:
        status = Path(path).stat()
    except OSError as error:
        raise System(f"stat {path}: {os.strerror(error.errno or 0).lower()}") from error
    if not stat.S_ISBLK(status.st_mode):
        raise System(f"{path} is not a block device")
    return {"major": os.major(status.st_rdev), "minor": os.minor(status.st_rdev)}
