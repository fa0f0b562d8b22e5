"""What happened to a container: its orders and its events, merged."""

from typing import Any, Final

from controlplane.containers.models import Container
from controlplane.hosts.models import Event
from controlplane.orders.models import Order

MOST: Final = 200


def of(container: Container) -> list[dict[str, Any]]:
    """Newest first."""
    items = [_order(order) for order in Order.objects.filter(target_id=container.pk).order_by("-created_at")[:MOST]]
    events = Event.objects.filter(object_id=container.pk).exclude(action__startswith="exec_").order_by("-at")
    items += [_event(event) for event in events[:MOST]]
    return sorted(items, key=lambda item: item["at"], reverse=True)[:MOST]


def _order(order: Order) -> dict[str, Any]:
    return {
        "at": order.created_at,
        "type": "order",
        "id": order.pk,
        "action": order.op,
        "op": order.op,
        "state": order.state,
        "actor": {"id": order.actor_id, "name": order.actor_name, "kind": order.actor_kind},
        "exit_code": None,
        "order": order.pk,
    }


def _event(event: Event) -> dict[str, Any]:
    code = str(event.attributes.get("exitCode", ""))
    return {
        "at": event.at,
        "type": "event",
        "id": event.pk,
        "action": event.action,
        "actor": None,
        "exit_code": int(code) if code.isdigit() else None,
        "order": event.order_id,
    }
