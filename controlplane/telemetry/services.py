"""Keep samples of use, and drop them by age."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from controlplane.common import readings
from controlplane.telemetry.models import Sample

KEPT: Final = timedelta(hours=24)


def samples_add(*, samples: Iterable[tuple[uuid.UUID, Mapping[str, Any]]]) -> int:
    """Write samples as agents report them (`StatsReport`); one that is there already is skipped."""
    rows = [row for subject, item in samples if (row := _row(subject, item)) is not None]
    Sample.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def samples_drop_old() -> int:
    """Drop what is older than a day."""
    return Sample.objects.filter(at__lt=timezone.now() - KEPT).delete()[0]


def _row(subject: uuid.UUID, item: Mapping[str, Any]) -> Sample | None:
    at = readings.moment(item.get("at"))
    if at is None:
        return None
    # One in ten seconds is kept; while somebody watches, a host sends more.
    at = at.replace(second=at.second // 10 * 10, microsecond=0)
    net = readings.mapping(item.get("net"))
    pairs = [pair for pair in net.values() if isinstance(pair, list) and len(pair) == 2]
    block = readings.listing(item.get("block"))
    return Sample(
        subject_id=subject,
        at=at,
        cpu_percent=readings.real(item.get("cpu_percent")),
        memory_bytes=readings.number(item.get("memory_bytes")),
        memory_cache=readings.number(item.get("memory_cache")),
        memory_limit=readings.number(item.get("memory_limit")) or None,
        net_rx=sum(readings.number(pair[0]) or 0 for pair in pairs) if net else None,
        net_tx=sum(readings.number(pair[1]) or 0 for pair in pairs) if net else None,
        block_read=readings.number(block[0]) if len(block) == 2 else None,
        block_write=readings.number(block[1]) if len(block) == 2 else None,
        pids=readings.number(item.get("pids")),
    )
