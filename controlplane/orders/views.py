"""`orders/`: what was asked of hosts, and what became of it."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import rights
from controlplane.common.errors import NotFound
from controlplane.common.etags import conditional
from controlplane.common.lists import Ordering, by_id_or_name, page
from controlplane.common.permissions import SELF
from controlplane.common.views import ApiView, Operation
from controlplane.orders import serializers as s
from controlplane.orders import services
from controlplane.orders.answers import accepted
from controlplane.orders.models import Order, OrderLine
from controlplane.orders.ops import RIGHT
from controlplane.orders.selectors import order_get, orders_visible

LINES_AT_ONCE = 1000


class OrdersView(ApiView):
    """The list; it holds the orders whose targets one may see."""

    operations = {"GET": Operation(SELF, "List orders", query=s.OrderQuery, response=s.OrderJson, many=True)}
    ordering = Ordering({"created_at": "created_at", "state": "state", "op": "op"}, "-created_at")

    def get(self, request: Request) -> Response:
        """By state, op, host, target, actor, batch."""
        rows = orders_visible(self.access)
        query = self.query
        for name, field in (("state", "state__in"), ("op", "op__in"), ("target", "target_id__in"),
                            ("target_type", "target_type__in"), ("actor", "actor_name__in")):  # fmt: skip
            if query.get(name):
                rows = rows.filter(**{field: query[name]})
        if query.get("host"):
            rows = rows.filter(by_id_or_name("host", query["host"]))
        if "batch" in query:
            rows = rows.filter(batch=query["batch"])
        if query.get("search"):
            rows = rows.filter(Q(target_name__icontains=query["search"]) | Q(op__icontains=query["search"]))
        return page(request, query, rows, ordering=self.ordering, render=_orders)


def _orders(rows: Sequence[Order]) -> list[Any]:
    return list(s.OrderJson(rows, many=True).data)


class OrderView(ApiView):
    """One order."""

    operations = {"GET": Operation(SELF, "One order", response=s.OrderJson)}

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Its state, progress and end."""
        order = order_get(self.access, id)
        # The version alone would miss the host's going away, which the answer shows.
        version = f"{order.version}-{order.host.state}"
        return conditional(request, version, s.OrderJson(order).data)


class LinesView(ApiView):
    """An order's output."""

    operations = {"GET": Operation(SELF, "Lines of output", query=s.LinesQuery, response=s.Lines)}

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """At most 1,000 lines after `after`."""
        order = order_get(self.access, id)
        found = list(
            OrderLine.objects.filter(order=order, n__gt=self.query["after"]).order_by("n")[: LINES_AT_ONCE + 1]
        )
        return Response(s.Lines({"lines": found[:LINES_AT_ONCE], "more": len(found) > LINES_AT_ONCE}).data)


class CancelView(ApiView):
    """Take it back."""

    operations = {
        "POST": Operation(rights.ORDERS_CANCEL, "Cancel an order", response=s.OrderJson, action="order.cancel")
    }

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """At once while it is queued; once it was sent, the host answers."""
        order = order_get(self.access, id)
        self.note(order, order=order)
        self.access.require(rights.ORDERS_CANCEL, order.host_id, order.host.name)
        return Response(s.OrderJson(services.order_cancel(order=order)).data)


class RetryView(ApiView):
    """The same again."""

    operations = {
        "POST": Operation(
            SELF, "Retry an order", body=s.Retry, response=s.OrderJson, status=202, order="the same",
            action="order.retry", example={},
        )
    }  # fmt: skip

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Needs the right that the order needed; and its credential, where it came with one."""
        order = order_get(self.access, id)
        self.note(order)
        if order.op not in RIGHT:
            raise NotFound("No such order")
        self.access.require(RIGHT[order.op], order.host_id, order.host.name)
        credential = self.body.get("credential")
        again = services.order_retry(order=order, actor=self.access.actor, credential=credential)
        self.renote(order, order=again)
        return accepted(again)
