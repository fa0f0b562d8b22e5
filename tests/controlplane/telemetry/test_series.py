"""Samples in, series out: gaps stay gaps, counters become rates, a reset is no rate."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from controlplane.hosts.models import Host
from controlplane.telemetry.models import Sample
from controlplane.telemetry.series import points, window
from controlplane.telemetry.services import samples_add, samples_drop_old
from tests.controlplane import cast

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def sample(at: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "at": at.isoformat(), "cpu_percent": 10.0, "memory_bytes": 100, "memory_cache": 1, "memory_limit": 0,
        "net": {"eth0": [1000, 10], "eth1": [1000, 10]}, "block": [5, 6], "pids": 3, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "step", "got"), [(1, None, 10), (24, None, 120), (24 * 7, None, 1800), (1, 60, 60), (24, 10, 120)]
)
def test_at_most_a_thousand_points(hours: int, step: int | None, got: int) -> None:
    shown = window(now=NOW, start=NOW - timedelta(hours=hours), end=None, step=step)
    assert shown.step == got
    assert len(points([], shown)) <= 1000


def test_gaps_and_rates() -> None:
    shown = window(now=NOW, start=NOW - timedelta(seconds=60), end=NOW, step=10)
    rows = [
        Sample(at=shown.start + timedelta(seconds=s), cpu_percent=float(s), net_rx=rx)
        for s, rx in ((0, 0), (10, 1000), (20, 500), (50, 900))
    ]
    found = points(rows, shown)
    assert [point["cpu_percent"] for point in found] == [0.0, 10.0, 20.0, None, None, 50.0]
    assert [point["net_rx"] for point in found] == [None, 100.0, None, None, None, None]


@pytest.mark.django_db
def test_one_in_ten_seconds_is_kept_for_a_day(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    now = timezone.now().replace(second=30, microsecond=0) - timedelta(minutes=5)
    many = [(container.pk, sample(now + timedelta(seconds=n))) for n in range(20)]
    samples_add(samples=many)
    samples_add(samples=many)
    assert Sample.objects.count() == 2
    told = api("GET", f"containers/{container.pk}/stats/").data
    assert len([point for point in told["points"] if point["cpu_percent"] == 10.0]) == 2
    samples_add(samples=[(uuid.uuid4(), sample(now - timedelta(days=2)))])
    assert samples_drop_old() == 1
    assert (
        api("GET", f"containers/{container.pk}/stats/?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z").status_code
        == 400
    )


@pytest.mark.django_db
@pytest.mark.parametrize("bad", [{"at": "x"}, {"cpu_percent": float("inf")}, {"net": {"a": ["x", None]}}, {"block": 3}])
def test_nonsense(bad: dict[str, Any]) -> None:
    samples_add(samples=[(uuid.uuid4(), {**sample(NOW), **bad})])
