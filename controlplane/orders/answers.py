"""The answers to requests that a host must carry out: 202 with the order, or with a batch of them."""

import uuid
from collections.abc import Sequence
from typing import Any

from rest_framework.response import Response

from controlplane.orders.models import Order
from controlplane.orders.serializers import Batch, OrderJson


def accepted(order: Order) -> Response:
    """202, where to ask for it, and the order as it is now."""
    return Response(OrderJson(order).data, status=202, headers={"Location": f"/api/orders/{order.pk}/"})


def accepted_all(orders: Sequence[Order], batch: uuid.UUID, refused: Sequence[dict[str, Any]] = ()) -> Response:
    """202 with all of them; a single order answers as itself."""
    if len(orders) == 1 and not refused:
        return accepted(orders[0])
    return Response(Batch({"batch": batch, "orders": orders, "refused": refused}).data, status=202)
