"""Orders as JSON."""

from typing import Any, TypeVar

from django.db.models import Model
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agent.protocol.orders import OPS
from controlplane.common.access import Access
from controlplane.common.lists import ListQuery
from controlplane.common.serializers import Query, Repeated, Strict
from controlplane.orders.models import Order, OrderLine, OrderState
from controlplane.orders.states import waiting_for

M = TypeVar("M", bound=Model)


class Target(serializers.Serializer[Any]):
    """What an order concerns."""

    type = serializers.CharField(source="target_type")
    id = serializers.UUIDField(source="target_id", allow_null=True)
    name = serializers.CharField(source="target_name")


class HostBrief(serializers.Serializer[Any]):
    """A host in an answer about something else."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    online = serializers.BooleanField()


class ActorBrief(serializers.Serializer[Any]):
    """Who asked for it."""

    id = serializers.CharField(source="actor_id")
    name = serializers.CharField(source="actor_name")
    kind = serializers.CharField(source="actor_kind")


class Progress(serializers.Serializer[Any]):
    """How far it is."""

    current = serializers.IntegerField(required=False)
    total = serializers.IntegerField(required=False)
    unit = serializers.CharField(required=False)
    text = serializers.CharField(required=False)


class OrderProblem(serializers.Serializer[Any]):
    """Why it ended badly: status as the engine's HTTP status, 403 for the host's policy, 0 for neither."""

    code = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    rule = serializers.CharField(required=False)


class OrderJson(serializers.ModelSerializer[Order]):
    """One order."""

    target = Target(source="*")
    host = HostBrief()
    actor = ActorBrief(source="*")
    waiting_for = serializers.SerializerMethodField()
    progress = Progress(allow_null=True)
    problem = OrderProblem(allow_null=True)
    result = serializers.DictField(allow_null=True)
    state = serializers.ChoiceField(choices=OrderState.values)

    class Meta:
        model = Order
        fields = [
            "id", "op", "target", "host", "state", "waiting_for", "progress", "result", "problem", "actor", "cause",
            "batch", "created_at", "sent_at", "started_at", "finished_at", "not_after", "with_credential", "version",
        ]  # fmt: skip

    def get_waiting_for(self, order: Order) -> str | None:
        """`host` or `outcome` while it is open and cannot go on."""
        return waiting_for(
            state=order.state, host_online=order.host.online, not_after=order.not_after, now=timezone.now()
        )


class Credential(Strict):
    """For one order; it is handed to the host with the order and kept nowhere else."""

    username = serializers.CharField(max_length=255)
    password = serializers.CharField(max_length=4096, trim_whitespace=False, write_only=True)


class Retry(Strict):
    """Body of POST retry/."""

    credential = Credential(required=False, help_text="Where the order came with one, which was not kept")


class RefusedItem(serializers.Serializer[Any]):
    """One object of a batch for which no order was made."""

    id = serializers.CharField()
    problem = serializers.DictField()


class Batch(serializers.Serializer[Any]):
    """Several orders made at once."""

    batch = serializers.UUIDField()
    orders = OrderJson(many=True)
    refused = RefusedItem(many=True)


class PendingOrder(serializers.Serializer[Any]):
    """An object's open order, as its row shows it."""

    id = serializers.UUIDField()
    op = serializers.CharField()
    state = serializers.CharField()
    waiting_for = serializers.CharField(allow_null=True)
    not_after = serializers.DateTimeField()


class OrderQuery(ListQuery):
    """Filters of the list of orders."""

    state = Repeated(serializers.ChoiceField(choices=OrderState.values))
    op = Repeated(serializers.ChoiceField(choices=sorted(OPS)))
    host = Repeated()
    target = Repeated(serializers.UUIDField())
    target_type = Repeated(serializers.ChoiceField(choices=["container", "image", "volume", "network", "host"]))
    actor = Repeated()
    batch = serializers.UUIDField(required=False)


class LinesQuery(Query):
    """Where to go on."""

    after = serializers.IntegerField(min_value=0, default=0)


class Line(serializers.ModelSerializer[OrderLine]):
    """One line of output."""

    data = serializers.DictField(allow_null=True)  # type: ignore[assignment]

    class Meta:
        model = OrderLine
        fields = ["n", "at", "step", "text", "data"]


class Lines(serializers.Serializer[Any]):
    """Lines after `after`; `more` says to ask again from the last one."""

    lines = Line(many=True)
    more = serializers.BooleanField()


class OrderOptions(Strict):
    """What every request that makes an order may say of it."""

    not_after = serializers.DateTimeField(required=False)


class MadeQuery(ListQuery):
    """Filters of a list of records that orders make, one row a host: networks, volumes."""

    host = Repeated()
    name = Repeated()
    state = Repeated(serializers.ChoiceField(choices=["creating", "creation_failed", "present"]))
    driver = Repeated()
    label = Repeated()  # type: ignore[assignment]
    unused = serializers.BooleanField(required=False)


class MadeBody(OrderOptions):
    """What the bodies that make one have in common."""

    host = serializers.CharField(max_length=64, help_text="Id or name")
    options = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)


def pending(order: Order | None) -> dict[str, Any] | None:
    """An object's open order in brief."""
    if order is None:
        return None
    waits = waiting_for(state=order.state, host_online=order.host.online, not_after=order.not_after, now=timezone.now())
    return {"id": order.pk, "op": order.op, "state": order.state, "waiting_for": waits, "not_after": order.not_after}


class OnHostJson(serializers.ModelSerializer[M]):
    """What the rows of containers, networks and volumes have in common. The context gives `access` and `pending`."""

    host = HostBrief()
    labels = serializers.DictField(child=serializers.CharField())
    created_at = serializers.SerializerMethodField()
    pending_order = serializers.SerializerMethodField()
    problem = OrderProblem(allow_null=True)
    rights = serializers.SerializerMethodField()

    def get_created_at(self, row: Any) -> str:
        """By the engine; before that, when it was asked for."""
        return str((row.engine_created_at or row.created_at).isoformat())

    @extend_schema_field(PendingOrder(allow_null=True))
    def get_pending_order(self, row: Any) -> dict[str, Any] | None:
        """Its newest open order."""
        return pending(self.context["pending"].get(row.pk))

    def get_rights(self, row: Any) -> list[str]:
        """What the reader may do with it."""
        access: Access = self.context["access"]
        return [right for right in access.rights_on(row.host_id) if right.startswith(f"{row._meta.app_label}.")]
