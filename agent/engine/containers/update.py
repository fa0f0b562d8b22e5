"""Change a container's limits and restart policy, running or not. Docker Engine API: ContainerUpdate."""

from collections.abc import Mapping
from typing import Any

import msgspec

from agent.engine.containers import hostconfig, limits
from agent.engine.containers.ops import Ops
from agent.engine.errors import Conflict, Invalid
from agent.engine.state.records import ContainerRecord, Status

KEYS = frozenset({
    "BlkioWeight", "CpuShares", "CpuPeriod", "CpuQuota", "CpusetCpus", "CpusetMems", "NanoCpus", "Memory",
    "MemoryReservation", "MemorySwap", "PidsLimit",
})  # fmt: skip


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
                changes[key] = value
        elif value not in (None, 0, "", False, [], {}, -1):
            raise Invalid(f"the option {key} cannot be updated: {value!r}")
    if "RestartPolicy" in changes:
        policy = changes["RestartPolicy"]
        changes["RestartPolicy"] = hostconfig.restart_policy(policy, auto_remove=bool(old.get("AutoRemove")))
    new = {**old, **changes}
    if new["NanoCpus"] and (changes.get("CpuPeriod") or changes.get("CpuQuota")) and old["NanoCpus"]:
        raise Conflict("Conflicting options: CPU Period or Quota cannot be updated as NanoCPUs has already been set")
    if changes.get("NanoCpus") and (old["CpuPeriod"] or old["CpuQuota"]):
        raise Conflict("Conflicting options: Nano CPUs cannot be updated as CPU Period or Quota has already been set")
    if changes.get("Memory") and not changes.get("MemorySwap") and 0 < old["MemorySwap"] < changes["Memory"]:
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
    try:
        host = merged(record.host_config, body)
        if record.state.status in {Status.REMOVING, Status.DEAD}:
            raise Conflict('Container is marked for removal and cannot be "update".')
    except Conflict as error:
        raise Conflict(f"Cannot update container {record.id}: {error}") from None
    if record.state.alive:
        resources = limits.resources(host, ops.machine, ops.config.pids_limit)
        await ops.runtime.update(record.id, resources)
    changed = await ops.containers.save(msgspec.structs.replace(record, host_config=host))
    ops.tell(changed, "update")
    return warnings
