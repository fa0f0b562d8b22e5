"""Remove a container, and the volumes made for it.

Docker Engine API: ContainerDelete. The record and the name go with one commit, which also holds the intent; the
files go after the answer.
"""

import logging

from agent.engine.containers import remains, stop
from agent.engine.containers.ops import Ops
from agent.engine.errors import Conflict
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
        await remains.forget(ops, record, volumes=volumes)
