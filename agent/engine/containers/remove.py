"""Remove a container, and the volumes made for it.

Docker Engine API: ContainerDelete. The record and the name go with one commit, which also holds the intent; the
files go after the answer.
"""

import asyncio
import contextlib
import logging

from agent.engine.containers import exited, stop
from agent.engine.containers.ops import Ops
from agent.engine.containers.waits import Ended
from agent.engine.errors import Conflict, EngineError
from agent.engine.kernel import files
from agent.engine.kernel.failpoints import failpoint
from agent.engine.state.journal import Intent
from agent.engine.state.records import ContainerRecord, Status

log = logging.getLogger(__name__)


async def remove(ops: Ops, record: ContainerRecord, *, force: bool, volumes: bool) -> None:
    """Remove it. The caller holds the container's lock.

    Raises:
        Conflict: it runs, and ``force`` is not given.
    """
    if record.state.running:
        if not force:
            if record.state.status is Status.PAUSED:
                raise Conflict(
                    f"You cannot remove a paused container {record.id}. Unpause and then stop the container before"
                    " attempting removal or force remove"
                )
            raise Conflict(
                f"You cannot remove a running container {record.id}. Stop the container before attempting removal or"
                " force remove"
            )
        record = await stop.kill_and_wait(ops, record, auto_remove=False)
    if record.id in ops.containers:
        await forget(ops, record, volumes=volumes)


async def forget(ops: Ops, record: ContainerRecord, *, volumes: bool) -> None:
    """Take the record away and tell; the files follow. The caller holds the container's lock."""
    anonymous = [point.name for point in record.mounts if point.anonymous] if volumes else []
    intent = await ops.journal.begin(
        "remove", record.id, {"volumes": anonymous}, also=[ops.containers.dropping(record.id)], vital=True
    )
    failpoint("remove.begun")
    ops.containers.forget(record.id)
    ops.delays.pop(record.id, None)
    ops.tell(record, "destroy")
    ops.waits.removed(record.id, Ended(record.state.exit_code))
    ops.cleanups[record.id] = ops.spawn(
        _take_away(ops, intent, ops.cleanups.get(record.id)), f"remove {record.id[:12]}"
    )


async def _take_away(ops: Ops, intent: Intent, before: "asyncio.Task[None] | None") -> None:
    try:
        if before is not None:
            await asyncio.wait([before])
        await clear(ops, intent.subject, intent.detail.get("volumes") or [])
        failpoint("remove.cleared")
        await ops.journal.done(intent)
    finally:
        ops.cleanups.pop(intent.subject, None)


async def clear(ops: Ops, container_id: str, volumes: list[str]) -> None:
    """Everything that a container without a record may have left. Idempotent: recovery calls it too."""
    await exited.clean(ops, container_id)
    await ops.snapshots.remove(container_id)
    await asyncio.to_thread(files.remove_tree, ops.paths.container(container_id))
    for name in volumes:
        with contextlib.suppress(Conflict):
            try:
                await ops.volumes.remove(name, force=True)
            except EngineError as error:
                log.warning("volume %s: %s", name, error)
