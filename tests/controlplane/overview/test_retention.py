"""What is past its time goes; what is young, open or in the trail stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from controlplane.audit.models import Entry
from controlplane.celery import app
from controlplane.common.models import IdempotencyKey
from controlplane.containers.models import Container
from controlplane.hosts.models import Event, Host
from controlplane.orders.models import Order
from controlplane.overview import retention
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


def test_it_works(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    old = timezone.now() - timedelta(days=365)
    ended, still_open = (
        api("POST", f"containers/{container.pk}/stop/", {}, Idempotency_Key=str(n)).data["id"] for n in (1, 2)
    )
    cast.ends(ended, finished_at=old.isoformat())
    Order.objects.filter(pk=still_open).update(created_at=old)
    Event.objects.create(host=host, at=old, kind="container", action="die")
    IdempotencyKey.objects.filter(key="1").update(created_at=old)
    gone = cast.running(host)
    Container.objects.filter(pk=gone.pk).update(removed_at=old)
    retention.run()
    assert [str(order.pk) for order in Order.objects.all()] == [still_open]
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["2"]
    assert list(Container.objects.all()) == [container]
    assert not Event.objects.exists()
    assert Entry.objects.count() == 2


def test_every_scheduled_task_is_registered() -> None:
    app.loader.import_default_modules()
    assert {row["task"] for row in app.conf.beat_schedule.values()} <= set(app.tasks)
    assert "overview.retention" in app.tasks
