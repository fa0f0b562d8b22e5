"""Freeze and thaw a container without ending it.

Docker Engine API: ContainerPause, ContainerUnpause. Kernel side: the freezer cgroup.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable

from agent.engine.containers.ops import Ops
from agent.engine.errors import Conflict, EngineError, System
from agent.engine.kernel import cgroups
from agent.engine.kernel.failpoints import failpoint
from agent.engine.state.records import ContainerRecord, Status

FREEZE = "freeze"
"""The journal's word for a pause that lasts as long as another operation."""


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
    try:
        failpoint("pause.frozen")
        paused = await ops.containers.save(record.with_state(status=Status.PAUSED))
    except BaseException:
        await ops.runtime.resume(record.id)
        raise
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
    try:
        failpoint("unpause.thawed")
        running = await ops.containers.save(record.with_state(status=Status.RUNNING), vital=True)
    except BaseException:
        await ops.runtime.pause(record.id)
        raise
    ops.tell(running, "unpause")
    return running


@contextlib.asynccontextmanager
async def frozen(ops: Ops, container_id: str) -> AsyncIterator[None]:
    """Frozen for the block, during which its lock is free. A crash of the engine meanwhile thaws it again."""
    intent = await ops.journal.begin(FREEZE, container_id)
    try:
        async with ops.locks.hold(container_id):
            # One that has ended meanwhile writes nothing; the runtime may know of it before we do.
            with contextlib.suppress(EngineError):
                await pause(ops, ops.containers.get(container_id))
        try:
            yield
        finally:
            async with ops.locks.hold(container_id):
                record = ops.containers.find(container_id)
                if record is not None and record.state.status is Status.PAUSED:
                    await unpause(ops, record)
    finally:
        await ops.journal.done(intent)


async def thaw(ops: Ops, container_id: str) -> None:
    """Recovery: end a freeze whose purpose died with the engine."""
    record = ops.containers.find(container_id)
    if record is not None and record.state.alive:
        # The runtime refuses where it was not yet, or no longer, frozen.
        with contextlib.suppress(EngineError):
            await ops.runtime.resume(container_id)
        await ops.containers.save(record.with_state(status=Status.RUNNING))


async def agree(ops: Ops, running: Iterable[ContainerRecord]) -> None:
    """Recovery: a record says paused where the kernel does, and only there."""
    for record in running:
        status = Status.PAUSED if cgroups.frozen(ops.hierarchy, f"{ops.config.cgroup}/{record.id}") else Status.RUNNING
        if status is not record.state.status:
            await ops.containers.save(record.with_state(status=status))
