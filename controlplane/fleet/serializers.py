"""Hosts, enrolments and events as JSON."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from controlplane.common.access import Access
from controlplane.common.lists import ListQuery
from controlplane.common.serializers import Repeated, Strict
from controlplane.hosts.models import Enrolment, Event, Host, HostState
from controlplane.orders.serializers import HostBrief, OrderOptions

PRUNABLE = ["containers", "images", "networks"]


class HostQuery(ListQuery):
    """Filters of the list of hosts; revoked ones only if asked for."""

    name = Repeated()
    host = Repeated()
    state = Repeated(serializers.ChoiceField(choices=HostState.values))
    label = Repeated()  # type: ignore[assignment]
    engine = Repeated()


class Counts(serializers.Serializer[Any]):
    """Containers of a host."""

    containers = serializers.IntegerField(source="containers_total")
    running = serializers.IntegerField(source="containers_running")


class Engine(serializers.Serializer[Any]):
    """The container engine of a host."""

    name = serializers.CharField(required=False)
    version = serializers.CharField(required=False)
    api_version = serializers.CharField(required=False)
    running = serializers.BooleanField(required=False)


class Agent(serializers.Serializer[Any]):
    """The agent of a host."""

    version = serializers.CharField(required=False)


class Disk(serializers.Serializer[Any]):
    """The disk of the engine's data."""

    total = serializers.IntegerField(required=False)
    used = serializers.IntegerField(required=False)


class HostRow(serializers.ModelSerializer[Host]):
    """A host in the list."""

    labels = serializers.DictField(child=serializers.CharField())
    facts = serializers.DictField()
    counts = Counts(source="*")
    engine = Engine()
    agent = Agent()
    disk = Disk()
    capabilities = serializers.ListField(child=serializers.CharField())
    rights = serializers.SerializerMethodField()

    class Meta:
        model = Host
        fields = [
            "id", "name", "state", "labels", "facts", "engine", "agent", "counts", "disk", "cpu_percent",
            "memory_bytes", "capabilities", "created_at", "enrolled_at", "connected_at", "last_seen_at",
            "offline_since", "offline_reason", "revoked_at", "version", "rights",
        ]  # fmt: skip

    def get_rights(self, host: Host) -> list[str]:
        """What the reader may do on it."""
        access: Access = self.context["access"]
        return access.rights_on(host.pk)


class HostDetail(HostRow):
    """One host."""

    policy = serializers.DictField()
    checks = serializers.ListField(child=serializers.DictField())
    engine_info = serializers.SerializerMethodField()

    class Meta(HostRow.Meta):
        fields = [*HostRow.Meta.fields, "policy", "checks", "engine_info", "address"]

    def get_engine_info(self, host: Host) -> dict[str, Any]:
        """Docker's `/info`."""
        info = host.engine.get("info")
        return info if isinstance(info, dict) else {}


class HostChange(Strict):
    """Body of PATCH."""

    name = serializers.CharField(max_length=63, required=False)
    labels = serializers.DictField(child=serializers.CharField(max_length=255, allow_blank=True), required=False)


class Revoke(Strict):
    """Why."""

    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class Prune(OrderOptions):
    """What may go. Volumes are never among it: they are removed one by one."""

    kinds = serializers.ListField(child=serializers.ChoiceField(choices=PRUNABLE), min_length=1)
    until = serializers.CharField(max_length=32, required=False, help_text="Only what is older, as Docker: 24h")
    dry_run = serializers.BooleanField(default=False)


class Reclaimable(serializers.Serializer[Any]):
    """Of one kind."""

    count = serializers.IntegerField()
    bytes = serializers.IntegerField()


class PruneAnswer(serializers.Serializer[Any]):
    """With `dry_run`: what would go."""

    reclaimable = serializers.DictField(child=Reclaimable())


class EnrolmentCreate(Strict):
    """Body of POST enrolments/."""

    name = serializers.CharField(max_length=63)
    labels = serializers.DictField(child=serializers.CharField(max_length=255, allow_blank=True), default=dict)


class EnrolmentQuery(ListQuery):
    """Filters of the list of enrolments."""

    name = Repeated()
    state = Repeated(serializers.ChoiceField(choices=["waiting", "spent", "expired"]))


class EnrolledHost(serializers.Serializer[Any]):
    """The host of an enrolment, as the checklist shows it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.CharField()
    engine = Engine()
    checks = serializers.ListField(child=serializers.DictField())


class EnrolmentJson(serializers.ModelSerializer[Enrolment]):
    """An enrolment, without its join string."""

    name = serializers.CharField(source="host.name")
    labels = serializers.DictField(source="host.labels", child=serializers.CharField())
    host = EnrolledHost()
    state = serializers.SerializerMethodField()

    class Meta:
        model = Enrolment
        fields = ["id", "name", "labels", "host", "state", "created_at", "created_by", "expires_at", "spent_at"]

    def get_state(self, enrolment: Enrolment) -> str:
        """waiting, spent or expired."""
        if enrolment.spent_at:
            return "spent"
        return "waiting" if enrolment.expires_at > timezone.now() else "expired"


class NewEnrolment(EnrolmentJson):
    """The only answer with the join string."""

    join_string = serializers.CharField()
    command = serializers.CharField()

    class Meta(EnrolmentJson.Meta):
        fields = [*EnrolmentJson.Meta.fields, "join_string", "command"]


EVENT_KINDS = ["container", "image", "volume", "network", "daemon", "agent"]


class EventQuery(ListQuery):
    """Filters of the list of events."""

    kind = Repeated(serializers.ChoiceField(choices=EVENT_KINDS))
    action = Repeated()
    object = Repeated()
    host = Repeated()
    from_ = serializers.DateTimeField(required=False)
    to = serializers.DateTimeField(required=False)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's."""
        fields = super().get_fields()
        fields["from"] = fields.pop("from_")
        return fields


class EventJson(serializers.ModelSerializer[Event]):
    """One event."""

    host = HostBrief()
    object = serializers.SerializerMethodField()
    attributes = serializers.DictField(child=serializers.CharField())
    cause = serializers.UUIDField(source="order_id", allow_null=True, help_text="The order that it came from")

    class Meta:
        model = Event
        fields = ["id", "at", "kind", "action", "object", "host", "attributes", "cause"]

    def get_object(self, event: Event) -> dict[str, str | None]:
        """Id, engine id and name."""
        return {
            "id": str(event.object_id) if event.object_id else None,
            "engine_id": event.engine_id,
            "name": event.object_name,
        }
