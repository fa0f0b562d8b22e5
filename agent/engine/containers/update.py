"""Change a container's limits and restart policy, running or not. Docker Engine API: ContainerUpdate."""

from collections.abc import Mapping
from typing import Any

import msgspec

from agent.engine.containers.ops import Ops
from agent.engine.containers.options import blockio, hostconfig, limits
from agent.engine.errors import Conflict, Invalid, System
from agent.engine.runtime.base import RuntimeRefused
from agent.engine.state.records import ContainerRecord, Status

KEYS = frozenset({
    "BlkioWeight", "BlkioWeightDevice", *blockio.THROTTLES, "CpuShares", "CpuPeriod", "CpuQuota", "CpuRealtimePeriod",
    "CpuRealtimeRuntime", "CpusetCpus", "CpusetMems", "KernelMemory", "NanoCpus", "Memory", "MemoryReservation",
    "MemorySwap", "PidsLimit",
})  # fmt: skip
ALL_PIDS = 1 << 22
"""As many processes as a kernel has numbers for. crun cannot write "max" over a limit."""
# Limits that only a create sets; clients send them along, and dockerd too leaves them be.
_LEFT = frozenset({"MemorySwappiness", "OomKillDisable", "KernelMemoryTCP", "CpuPercent"})


def merged(old: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The HostConfig after the update. Pure.

    Raises:
        Invalid: an option that cannot be updated, or limits that contradict each other.
    """
    changes: dict[str, Any] = {}
    for key, value in body.items():
        if key == "RestartPolicy":
            if value and value.get("Name"):
                changes[key] = value
        elif key in KEYS:
            if value or (key == "PidsLimit" and value is not None):
                changes[key] = -1 if key == "PidsLimit" and value <= 0 else value
        elif key not in _LEFT and value not in (None, 0, "", False, [], {}, -1):
            raise Invalid(f"the option {key} cannot be updated: {value!r}")
    if "RestartPolicy" in changes:
        policy = changes["RestartPolicy"]
        changes["RestartPolicy"] = hostconfig.restart_policy(policy, auto_remove=False)
        if old.get("AutoRemove") and policy["Name"] != "no":
            raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
    new = {**old, **changes}
    for one, others, words in (
        ("NanoCpus", {"CpuPeriod": "CPU Period", "CpuQuota": "CPU Quota"}, "Nano CPUs"),
        ("CpuPeriod", {"NanoCpus": "NanoCPUs"}, "CPU Period"),
        ("CpuQuota", {"NanoCpus": "NanoCPUs"}, "CPU Quota"),
    ):
        for other, name in others.items():
            if (changes.get(one) or 0) > 0 and (old[other] or 0) > 0:
                raise Conflict(f"Conflicting options: {words} cannot be updated as {name} has already been set")
    if "Memory" in changes and changes["Memory"] > old["MemorySwap"] and not changes.get("MemorySwap"):
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    return new


async def update(ops: Ops, record: ContainerRecord, body: Mapping[str, Any]) -> list[str]:
    """Change the limits; gives warnings. The caller holds the container's lock.

    Raises:
        Invalid, Conflict: nothing has changed.
    """
    warnings = limits.check(body, ops.machine, update=True)
    asked = dict(body)
    limits.without(asked, ops.machine)
    try:
        host = merged(record.host_config, asked)
        if record.state.status in {Status.REMOVING, Status.DEAD}:
            raise Conflict('Container is marked for removal and cannot be "update".')
    except Conflict as error:
        raise Conflict(f"Cannot update container {record.id}: {error}") from None
    if record.state.alive:
        resources = limits.resources(host, ops.machine, ops.config.pids_limit)
        if host["PidsLimit"] == -1:
            resources["pids"] = {"limit": ALL_PIDS}
        if disks := blockio.resources({key: asked[key] for key in asked if key in KEYS}):
            resources["blockIO"] = disks
        try:
            await ops.runtime.update(record.id, resources)
        except RuntimeRefused as error:
            raise System(f"Cannot update container {record.id}: {error}") from error
    changed = await ops.containers.save(msgspec.structs.replace(record, host_config=host))
    ops.tell(changed, "update")
    return warnings
