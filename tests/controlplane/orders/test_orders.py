"""Orders: numbered, cancelled while that is possible, retried, seen by who may see their target."""

from datetime import timedelta

import pytest
from django.utils import timezone

from controlplane.hosts.models import Host, HostState
from controlplane.orders import results
from controlplane.orders.models import Order, OrderState
from controlplane.orders.states import waiting_for
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(api: cast.Api, host: Host) -> Order:
    container = cast.running(host)
    return Order.objects.get(pk=api("POST", f"containers/{container.pk}/stop/").data["id"])


def test_cancel_while_queued(api: cast.Api, order: Order) -> None:
    assert api("POST", f"orders/{order.pk}/cancel/", {}).data["state"] == "cancelled"
    assert api("POST", f"orders/{order.pk}/cancel/", {}).status_code == 409


def test_cancel_once_sent_asks_the_host(api: cast.Api, order: Order) -> None:
    results.order_sent(order)
    assert api("POST", f"orders/{order.pk}/cancel/").data["state"] == "sent"
    assert Order.objects.get().cancel_asked_at is not None
    results.order_running(order.host_id, str(order.pk), timezone.now().isoformat())
    assert api("POST", f"orders/{order.pk}/cancel/").status_code == 409


def test_retry_makes_a_new_one(api: cast.Api, order: Order) -> None:
    assert api("POST", f"orders/{order.pk}/retry/").status_code == 409
    cast.ends(str(order.pk), "failed", problem={"code": "x", "status": 500, "detail": "broke"})
    again = api("POST", f"orders/{order.pk}/retry/")
    assert again.status_code == 202
    assert Order.objects.get(pk=again.data["id"]).retry_of == order.pk
    assert again.data["target"] == api("GET", f"orders/{order.pk}/").data["target"]


def test_lines(api: cast.Api, order: Order) -> None:
    lines = [{"n": n, "at": "", "step": "a", "text": f"line {n}"} for n in range(1, 4)]
    for _ in range(2):
        results.order_lines_add(order.host_id, str(order.pk), lines, {"current": 1, "total": 3})
    answer = api("GET", f"orders/{order.pk}/lines/?after=1").data
    assert [line["n"] for line in answer["lines"]] == [2, 3]
    assert answer["more"] is False
    assert api("GET", f"orders/{order.pk}/").data["progress"] == {"current": 1, "total": 3}


def test_waiting_for_a_host_that_is_away(api: cast.Api, order: Order) -> None:
    Host.objects.update(state=HostState.OFFLINE)
    assert api("GET", f"orders/{order.pk}/").data["waiting_for"] == "host"


def test_waiting_for() -> None:
    now = timezone.now()
    late = now - timedelta(minutes=2)
    assert waiting_for(state="sent", host_online=False, not_after=late, now=now) == "outcome"
    assert waiting_for(state="queued", host_online=False, not_after=late, now=now) == "host"
    assert waiting_for(state="sent", host_online=True, not_after=late, now=now) is None
    assert waiting_for(state="done", host_online=False, not_after=late, now=now) is None


def test_expired(api: cast.Api, order: Order) -> None:
    Order.objects.update(not_after=timezone.now() - timedelta(seconds=1))
    assert results.expire_queued() == 1
    assert api("GET", f"orders/{order.pk}/").data["state"] == "expired"


def test_a_host_that_never_enrolled_takes_none(api: cast.Api) -> None:
    api("POST", "enrolments/", {"name": "new"})
    answer = api("POST", "containers/", {"host": "new", "image": "nginx"})
    assert (answer.status_code, answer.data["code"]) == (409, "host_not_enrolled")
    assert not Order.objects.exists()


def test_filters_and_rights(api: cast.Api, order: Order, host: Host) -> None:
    assert api("GET", "orders/?state=queued&op=container.stop&host=web-1").data["count"] == 1
    assert api("GET", f"orders/?target={order.target_id}").data["count"] == 1
    assert api("GET", "orders/?state=done").data["count"] == 0
    stranger = cast.Api(cast.person("eve", "viewer", cast.online_host("web-2")))
    assert stranger("GET", "orders/").data["count"] == 0
    assert stranger("GET", f"orders/{order.pk}/").status_code == 404


def test_late_and_repeated_reports_change_nothing(order: Order) -> None:
    cast.ends(str(order.pk))
    version = Order.objects.get().version
    cast.ends(str(order.pk), "failed", problem={"code": "x", "status": 0, "detail": "late"})
    results.order_running(order.host_id, str(order.pk), "")
    assert (Order.objects.get().state, Order.objects.get().version) == (OrderState.DONE, version)
