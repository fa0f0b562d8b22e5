"""Which orders an actor may see, and which are still open for an object."""

import uuid
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from controlplane.common.access import Access
from controlplane.common.errors import NotFound
from controlplane.orders.models import Order
from controlplane.orders.ops import VIEW
from controlplane.orders.states import OPEN


def orders_visible(access: Access) -> QuerySet[Order]:
    """Orders whose target the actor may see."""
    visible = Q(pk__in=[])
    for kind, right in VIEW.items():
        hosts = access.hosts(right)
        visible |= Q(target_type=kind) if hosts is None else Q(target_type=kind, host_id__in=hosts)
    return Order.objects.filter(visible).select_related("host")


def order_get(access: Access, order_id: uuid.UUID) -> Order:
    """One order.

    Raises:
        NotFound: none, or not for this actor.
    """
    order = orders_visible(access).filter(pk=order_id).first()
    if order is None:
        raise NotFound("No such order, or you have no access to its target")
    return order


def orders_pending(target_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Order]:
    """For each object its newest open order."""
    found = Order.objects.filter(target_id__in=list(target_ids), state__in=OPEN).select_related("host").order_by("seq")
    return {order.target_id: order for order in found if order.target_id}
