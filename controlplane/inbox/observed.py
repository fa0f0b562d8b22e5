"""What hosts have, as they report it, handed to the apps that keep the records.

A whole list comes in parts under one `run`. When the last part is written, what was not named since the first is gone.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from controlplane.common import hints, readings
from controlplane.containers.services.exits import exit_recorded
from controlplane.containers.services.observed import (
    containers_gone,
    containers_observed,
    containers_swept,
    names_of,
    usage_noted,
)
from controlplane.hosts.models import Event, Host
from controlplane.images.services import images_gone, images_observed, images_swept
from controlplane.networks.services import networks_gone, networks_observed, networks_swept
from controlplane.telemetry.services import samples_add
from controlplane.volumes.services import volumes_gone, volumes_observed, volumes_swept

Items = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Keeper:
    """The services that keep one kind's records."""

    observed: Callable[[Host, Items], None]
    gone: Callable[[Host, Sequence[str]], None]
    swept: Callable[[Host, datetime], None]


KEEPERS: Final[Mapping[str, Keeper]] = {
    "container": Keeper(
        lambda host, items: containers_observed(host=host, items=items),
        lambda host, names: containers_gone(host=host, engine_ids=names),
        lambda host, since: containers_swept(host=host, since=since),
    ),
    "image": Keeper(
        lambda host, items: images_observed(host=host, items=items),
        lambda host, names: images_gone(host=host, engine_ids=names),
        lambda host, since: images_swept(host=host, since=since),
    ),
    "volume": Keeper(
        lambda host, items: volumes_observed(host=host, items=items),
        lambda host, names: volumes_gone(host=host, names=names),
        lambda host, since: volumes_swept(host=host, since=since),
    ),
    "network": Keeper(
        lambda host, items: networks_observed(host=host, items=items),
        lambda host, names: networks_gone(host=host, engine_ids=names),
        lambda host, since: networks_swept(host=host, since=since),
    ),
}

# host and kind -> the list that is coming in, and when its first part came
_runs: dict[tuple[uuid.UUID, str], tuple[str, datetime]] = {}


def listed(host: Host, kind: str, run: str, items: list[dict[str, Any]], *, last: bool) -> None:
    """A part of a whole list."""
    keeper = KEEPERS.get(kind)
    if keeper is None:
        return
    known, since = _runs.get((host.pk, kind), ("", timezone.now()))
    if known != run:
        since = timezone.now()
        _runs[host.pk, kind] = (run, since)
    keeper.observed(host, items)
    if last:
        keeper.swept(host, since)
        _runs.pop((host.pk, kind), None)
        Host.objects.filter(pk=host.pk).update(inventory_at=timezone.now())


def changed(host: Host, kind: str, items: list[dict[str, Any]], gone: list[str]) -> None:
    """Some objects as they are now, and some that are no longer."""
    keeper = KEEPERS.get(kind)
    if keeper is None:
        return
    if items:
        keeper.observed(host, items)
    if gone:
        keeper.gone(host, [str(name) for name in gone])


def happened(host: Host, items: list[dict[str, Any]]) -> None:
    """Events; one that came before is known by its engine's time."""
    rows = names_of(host=host, engine_ids=[readings.text(one.get("engine_id"), 64) for one in items])
    made = []
    with transaction.atomic():
        for item in items:
            engine_id = readings.text(item.get("engine_id"), 128)
            row = rows.get(engine_id) if item.get("kind") == "container" else None
            attributes = readings.texts(item.get("attributes"))
            cause = exit_recorded(container=row, event=item) if row is not None and "exit" in item else None
            made.append(
                Event(
                    host=host,
                    at=readings.moment(item.get("at")) or timezone.now(),
                    at_nano=readings.number(item.get("at_nano")) or readings.nanoseconds(item.get("at")),
                    kind=readings.text(item.get("kind"), 32),
                    action=readings.text(item.get("action"), 128),
                    engine_id=engine_id,
                    object_id=row.pk if row is not None else None,
                    object_name=readings.text(row.name if row is not None else attributes.get("name"), 255),
                    attributes=attributes,
                    order_id=cause.pk if cause is not None else None,
                )
            )
        Event.objects.bulk_create(made, ignore_conflicts=True)
        hints.changed(kind="event", action="created", ids=[], host_id=host.pk)
        died = [row.pk for row in rows.values() if row.last_exit]
        if died:
            hints.changed(kind="container", action="die", ids=died, host_id=host.pk)


def sampled(host: Host, items: list[dict[str, Any]]) -> None:
    """Samples: the latest of each stands in its row, all are told to who looks on."""
    samples = {readings.text(one.get("engine_id"), 64): one for one in items}
    own = samples.pop("", None)
    usage = {
        engine_id: (readings.real(one.get("cpu_percent")), readings.number(one.get("memory_bytes")))
        for engine_id, one in samples.items()
    }
    ids = usage_noted(host=host, samples=usage)
    if own is not None:
        Host.objects.filter(pk=host.pk).update(
            cpu_percent=readings.real(own.get("cpu_percent")), memory_bytes=readings.number(own.get("memory_bytes"))
        )
    kept = [(ids[engine_id], one) for engine_id, one in samples.items() if engine_id in ids]
    samples_add(samples=[*kept, *([(host.pk, own)] if own is not None else [])])
    rows = [
        [str(ids[engine_id]), *usage[engine_id], *_traffic(one)]
        for engine_id, one in samples.items()
        if engine_id in ids
    ]
    hints.stats(host.pk, timezone.now().isoformat(), rows, _told(own) if own is not None else None)


def _traffic(sample: Mapping[str, Any]) -> list[int]:
    """Bytes received and sent, over all interfaces."""
    counters = [one for one in readings.mapping(sample.get("net")).values() if isinstance(one, list) and len(one) == 2]
    return [sum(readings.number(one[way]) or 0 for one in counters) for way in (0, 1)]


def _told(sample: Mapping[str, Any]) -> dict[str, Any]:
    names = ("at", "cpu_percent", "memory_bytes", "memory_cache", "memory_limit", "net", "block", "pids")
    return {name: sample.get(name) for name in names}
