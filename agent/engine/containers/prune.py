"""Remove the containers that do not run. Docker Engine API: ContainerPrune."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from agent.engine.containers.ops import Ops
from agent.engine.errors import Conflict, NotFound
from agent.engine.state.records import ContainerRecord, Status

Matches = Callable[[Mapping[str, str], int], bool]
"""Whether an object with these labels, made at that moment, is meant."""


def idle(record: ContainerRecord) -> bool:
    """It does not run, and is nobody's but the user's."""
    return not record.managed and record.state.status in {Status.CREATED, Status.EXITED, Status.DEAD}


async def prune(ops: Ops, matches: Matches, remove: Callable[[str], Awaitable[None]]) -> tuple[Sequence[str], int]:
    """Remove all that match; (ids, bytes freed)."""
    gone, freed = [], 0
    for record in ops.containers.all():
        if not (idle(record) and matches(record.labels, record.created_ns)):
            continue
        try:
            size = await ops.snapshots.usage(record.id)
            await remove(record.id)
        except (NotFound, Conflict):
            continue  # somebody was first
        gone.append(record.id)
        freed += size
    ops.events.publish("container", "prune", "", {"reclaimed": str(freed)})
    return gone, freed
