"""Remove the containers that do not run. Docker Engine API: ContainerPrune."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from agent.engine.containers.listing import has_labels
from agent.engine.containers.ops import Ops
from agent.engine.errors import Conflict, Invalid, NotFound
from agent.engine.state.records import ContainerRecord, Status

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(text: str, now: float) -> float:
    """``until``: a Unix time, or a span like ``1h30m`` back from now; seconds since the epoch.

    Raises:
        Invalid: neither.
    """
    try:
        return float(text)
    except ValueError:
        pass
    seconds, number = 0.0, ""
    for character in text:
        if character.isdigit() or character == ".":
            number += character
        elif character in _UNITS and number:
            seconds, number = seconds + float(number) * _UNITS[character], ""
        else:
            raise Invalid(f'invalid filter "until={text}"')
    if number or not text:
        raise Invalid(f'invalid filter "until={text}"')
    return now - seconds


def selected(record: ContainerRecord, filters: Mapping[str, Sequence[str]], now: float) -> bool:
    """The container is to go."""
    if record.managed or record.state.status not in {Status.CREATED, Status.EXITED, Status.DEAD}:
        return False
    if not has_labels(record.labels, filters.get("label", ())):
        return False
    if any(has_labels(record.labels, [label]) for label in filters.get("label!", ())):
        return False
    return all(record.created_ns / 1e9 < moment(text, now) for text in filters.get("until", ()))


async def prune(
    ops: Ops, filters: Mapping[str, Sequence[str]], remove: Callable[[str], Awaitable[None]]
) -> tuple[Sequence[str], int]:
    """Remove all that match; (ids, bytes freed)."""
    now, gone, freed = time.time(), [], 0
    for record in ops.containers.all():
        if not selected(record, filters, now):
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
