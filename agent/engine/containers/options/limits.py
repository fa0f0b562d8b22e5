"""Limits on memory, CPU and processes: what is allowed, and how the runtime is told. Pure. Disks: ``blockio.py``.

The rules and their words are dockerd's; clients and people know them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.engine.containers.options import blockio
from agent.engine.errors import Invalid

Json = dict[str, Any]

MINIMUM = 6 << 20
PERIOD = 100_000
HIGHEST = 8192
"""Number of a CPU or of a memory node."""
_BOUNDS = re.compile(r"([0-9]{1,19})(?:-([0-9]{1,19}))?")


@dataclass(frozen=True, slots=True)
class Machine:
    """What this host has."""

    cpus: int
    memory: int
    online: str = ""
    """List of CPUs, ``0-3``."""
    nodes: str = "0"
    swap_limit: bool = True
    """The kernel counts swap by group."""
    memory_v1: bool = True
    """The kernel has swappiness and an OOM killer that can be switched off, which went with cgroup v2."""
    weights: bool = True
    """It knows weights of block IO."""
    realtime: bool = True
    """It gives groups shares of real-time scheduling."""
    open_files: int = 524288
    """Hard limit on descriptors that a container gets; less where the engine may not raise its own."""


class OutOfRange(ValueError):
    """A list names a number that no machine has."""


def expand(listed: str) -> set[int]:
    """``0-2,7`` as a set.

    Raises:
        OutOfRange: a number is higher than any machine's: a range up to it would fill the memory.
        ValueError: it is no such list.
    """
    found: set[int] = set()
    for part in listed.split(",") if listed else []:
        bounds = _BOUNDS.fullmatch(part)
        if bounds is None:
            raise ValueError(part)
        first, last = int(bounds[1]), int(bounds[2] or bounds[1])
        if last < first:
            raise ValueError(part)
        if last > HIGHEST:
            raise OutOfRange(part)
        found.update(range(first, last + 1))
    return found


def without(host: Json, machine: Machine) -> None:
    """Take out of a ``HostConfig`` what this host's kernel has not; ``check`` has warned of it."""
    if not machine.memory_v1:
        host |= {"MemorySwappiness": None, "OomKillDisable": False}
    if not machine.weights:
        host[blockio.WEIGHT] = 0
        if host.get(blockio.WEIGHTS):
            host[blockio.WEIGHTS] = []
    host["CpuPercent"] = 0


def check(host: Mapping[str, Any], machine: Machine, *, update: bool = False) -> list[str]:
    """Judge the limits of a create, or of an update; gives warnings.

    Raises:
        Invalid: a limit that cannot be.
    """
    memory, swap, reservation = (host.get(key) or 0 for key in ("Memory", "MemorySwap", "MemoryReservation"))
    if memory != 0 and memory < MINIMUM:
        raise Invalid("Minimum memory limit allowed is 6MB")
    if memory > 0 and 0 < swap < memory:
        raise Invalid("Minimum memoryswap limit should be larger than memory limit, see usage")
    if memory == 0 and swap > 0 and not update:
        raise Invalid("You should always set the Memory limit when using Memoryswap limit, see usage")
    if (swappiness := host.get("MemorySwappiness")) is not None and not -1 <= swappiness <= 100:
        raise Invalid(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")
    if 0 < reservation < MINIMUM:
        raise Invalid("Minimum memory reservation allowed is 6MB")
    if 0 < memory < reservation:
        raise Invalid("Minimum memory limit can not be less than memory reservation limit, see usage")
    _check_cpu(host, machine)
    warnings = blockio.check(host, weights=machine.weights)
    if memory > 0 and swap != -1 and not machine.swap_limit:
        warnings.append(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited"
            " without swap."
        )
    if not machine.memory_v1:
        if host.get("MemorySwappiness") not in (None, -1):
            warnings.append(
                "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory"
                " swappiness discarded."
            )
        if host.get("OomKillDisable"):
            warnings.append("Your kernel does not support OomKillDisable. OomKillDisable discarded.")
    elif host.get("OomKillDisable") and not memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system"
            " running out of resources."
        )
    if host.get("CpuPercent"):
        warnings.append("linux does not support CPU percent. Percent discarded.")
    if host.get("KernelMemory"):
        warnings.append("Specifying a kernel memory limit is deprecated and will be removed in a future release.")
    return warnings


def _check_cpu(host: Mapping[str, Any], machine: Machine) -> None:
    nano, period, quota = (host.get(key) or 0 for key in ("NanoCpus", "CpuPeriod", "CpuQuota"))
    if nano > 0 and period > 0:
        raise Invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if nano > 0 and quota > 0:
        raise Invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if not 0 <= nano <= machine.cpus * 10**9:
        count = machine.cpus
        raise Invalid(f"Range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available")
    if period and not 1000 <= period <= 1_000_000:
        raise Invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < quota < 1000:
        raise Invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if (shares := host.get("CpuShares") or 0) < 0:
        raise Invalid(f"invalid CPU shares ({shares}): value must be a positive integer")
    realtime, runtime = (host.get(key) or 0 for key in ("CpuRealtimePeriod", "CpuRealtimeRuntime"))
    if (realtime or runtime) and not machine.realtime:
        raise Invalid("kernel does not support CPU real-time scheduler")
    if realtime and runtime > realtime:
        raise Invalid("cpu real-time runtime cannot be higher than cpu real-time period")
    for key, noun, available, what in (
        ("CpusetCpus", "CPUs", machine.online or f"0-{machine.cpus - 1}", "cpus"),
        ("CpusetMems", "memory nodes", machine.nodes, "mems"),
    ):
        wanted = host.get(key) or ""
        try:
            missing = expand(wanted) - expand(available)
        except OutOfRange:
            raise Invalid(
                f"Invalid value {wanted} for cpuset {what}: value of out range, maximum is {HIGHEST}"
            ) from None
        except ValueError:
            raise Invalid(f"Invalid value {wanted} for cpuset {what}: invalid format: {wanted}") from None
        if missing:
            raise Invalid(f"Requested {noun} are not available - requested {wanted}, available: {available}")


def resources(host: Mapping[str, Any], machine: Machine, pids_limit: int) -> Json:
    """The OCI ``linux.resources`` without devices and block IO."""
    return {key: value for key, value in _all(host, machine, pids_limit).items() if value}


def _all(host: Mapping[str, Any], machine: Machine, pids_limit: int) -> Json:
    memory: Json = {}
    if host.get("Memory"):
        memory["limit"] = host["Memory"]
        if machine.swap_limit and host.get("MemorySwap"):
            memory["swap"] = host["MemorySwap"]
    if host.get("MemoryReservation"):
        memory["reservation"] = host["MemoryReservation"]
    if host.get("MemorySwappiness") is not None:
        memory["swappiness"] = host["MemorySwappiness"]
    if host.get("OomKillDisable"):
        memory["disableOOMKiller"] = True
    if host.get("KernelMemoryTCP") and machine.memory_v1:
        memory["kernelTCP"] = host["KernelMemoryTCP"]
    cpu: Json = {}
    if host.get("CpuShares"):
        cpu["shares"] = host["CpuShares"]
    if host.get("NanoCpus"):
        cpu |= {"period": PERIOD, "quota": host["NanoCpus"] * PERIOD // 10**9}
    if host.get("CpuPeriod"):
        cpu["period"] = host["CpuPeriod"]
    if host.get("CpuQuota"):
        cpu["quota"] = host["CpuQuota"]
    if host.get("CpuRealtimePeriod"):
        cpu["realtimePeriod"] = host["CpuRealtimePeriod"]
    if host.get("CpuRealtimeRuntime"):
        cpu["realtimeRuntime"] = host["CpuRealtimeRuntime"]
    if host.get("CpusetCpus"):
        cpu["cpus"] = host["CpusetCpus"]
    if host.get("CpusetMems"):
        cpu["mems"] = host["CpusetMems"]
    pids = host.get("PidsLimit")
    # Absent, or the 0 that the CLI sends where nothing was asked for: the engine's own limit. Below 0: none.
    limit = pids or pids_limit
    return {"memory": memory, "cpu": cpu, "pids": {"limit": limit} if limit > 0 else {}}
