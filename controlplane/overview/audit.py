"""`audit/`: the trail, with the end of each action's order beside it."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.audit.models import Entry
from controlplane.common import rights
from controlplane.common.lists import ListQuery, Ordering, is_uuid, page
from controlplane.common.serializers import Repeated
from controlplane.common.views import ApiView, Operation
from controlplane.orders.models import Order


class AuditQuery(ListQuery):
    """Filters of the trail."""

    actor = Repeated()
    action = Repeated()
    target = Repeated()
    host = Repeated()
    result = Repeated(serializers.ChoiceField(choices=Entry.Result.values))
    from_ = serializers.DateTimeField(required=False)
    to = serializers.DateTimeField(required=False)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's."""
        fields = super().get_fields()
        fields["from"] = fields.pop("from_")
        return fields


class AuditActor(serializers.Serializer[Any]):
    """Who, as it was then."""

    id = serializers.CharField(source="actor_id")
    name = serializers.CharField(source="actor_name")
    kind = serializers.CharField(source="actor_kind")


class AuditTarget(serializers.Serializer[Any]):
    """What, as it was then."""

    type = serializers.CharField(source="target_type")
    id = serializers.CharField(source="target_id")
    name = serializers.CharField(source="target_name")


class EntryJson(serializers.ModelSerializer[Entry]):
    """One row of the trail."""

    actor = AuditActor(source="*")
    target = AuditTarget(source="*")
    host = serializers.SerializerMethodField()
    order = serializers.SerializerMethodField()
    details = serializers.DictField()

    class Meta:
        model = Entry
        fields = [
            "id", "seq", "at", "actor", "address", "action", "target", "host", "result", "code", "order", "request_id",
            "details",
        ]  # fmt: skip

    def get_host(self, entry: Entry) -> dict[str, str] | None:
        """Null where no host is concerned."""
        return {"id": str(entry.host_id), "name": entry.host_name} if entry.host_id else None

    def get_order(self, entry: Entry) -> dict[str, str] | None:
        """The order and how it stands now."""
        if entry.order_id is None:
            return None
        return {"id": str(entry.order_id), "state": self.context["orders"].get(entry.order_id, "")}


class AuditView(ApiView):
    """The list."""

    operations = {"GET": Operation(rights.AUDIT_VIEW, "Who did what", query=AuditQuery, response=EntryJson, many=True)}
    ordering = Ordering({"time": "seq", "at": "seq"}, "-time")

    def get(self, request: Request) -> Response:
        """By actor, action, target, host, result and time."""
        rows = filtered(Entry.objects.all(), self.query)
        return page(request, self.query, rows, ordering=self.ordering, render=_entries)


def filtered(rows: QuerySet[Entry], query: dict[str, Any]) -> QuerySet[Entry]:
    """The rows that a query asks for."""
    for name, field in (("action", "action__in"), ("result", "result__in"), ("from", "at__gte"), ("to", "at__lt")):
        if query.get(name):
            rows = rows.filter(**{field: query[name]})
    if query.get("actor"):
        rows = rows.filter(Q(actor_name__in=query["actor"]) | Q(actor_id__in=query["actor"]))
    if query.get("target"):
        rows = rows.filter(Q(target_id__in=query["target"]) | Q(target_name__in=query["target"]))
    if query.get("host"):
        ids = [word for word in query["host"] if is_uuid(word)]
        rows = rows.filter(Q(host_id__in=ids) | Q(host_name__in=query["host"]))
    if query.get("search"):
        words = query["search"]
        rows = rows.filter(
            Q(target_name__icontains=words) | Q(action__icontains=words) | Q(actor_name__icontains=words)
        )
    return rows


def _entries(rows: Sequence[Entry]) -> list[Any]:
    ids = [row.order_id for row in rows if row.order_id]
    orders = dict(Order.objects.filter(pk__in=ids).values_list("pk", "state"))
    return list(EntryJson(rows, many=True, context={"orders": orders}).data)
