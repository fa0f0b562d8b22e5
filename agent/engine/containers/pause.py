"""Freeze and thaw a container without ending it.

Docker Engine API: ContainerPause, ContainerUnpause. Kernel side: the freezer cgroup.
"""

from agent.engine.containers.ops import Ops
from agent.engine.errors import Conflict, System
from agent.engine.state.records import ContainerRecord, Status


async def pause(ops: Ops, record: ContainerRecord) -> ContainerRecord:
    """Freeze every process. The caller holds the container's lock.

    Raises:
        Conflict: it does not run, or is paused already.
    """
    match record.state.status:
        case Status.PAUSED:
            # A conflict, not a no-op: the client must not believe that it changed something.
            raise Conflict(f"Container {record.id} is already paused")
        case Status.RESTARTING:
            raise Conflict(f"Container {record.id} is restarting, wait until the container is running")
        case Status.RUNNING:
            await ops.runtime.pause(record.id)
        case _:
            raise Conflict(f"Container {record.id} is not running")
    paused = await ops.containers.save(record.with_state(status=Status.PAUSED))
    ops.tell(paused, "pause")
    return paused


async def unpause(ops: Ops, record: ContainerRecord) -> ContainerRecord:
    """Let every process go on. The caller holds the container's lock.

    Raises:
        System: it is not paused (dockerd answers 500 here).
    """
    if record.state.status is not Status.PAUSED:
        raise System(f"Container {record.id} is not paused")
    await ops.runtime.resume(record.id)
    running = await ops.containers.save(record.with_state(status=Status.RUNNING))
    ops.tell(running, "unpause")
    return running
