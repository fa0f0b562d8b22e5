"""Volumes as JSON, and the bodies that order them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.common.access import Access
from controlplane.common.lists import ListQuery
from controlplane.common.serializers import Query, Repeated
from controlplane.orders.serializers import HostBrief, OrderOptions, OrderProblem, PendingOrder, pending
from controlplane.volumes.models import Volume


class VolumeQuery(ListQuery):
    """Filters of the list of volumes."""

    host = Repeated()
    name = Repeated()
    state = Repeated(serializers.ChoiceField(choices=Volume.State.values))
    driver = Repeated()
    label = Repeated()  # type: ignore[assignment]
    unused = serializers.BooleanField(required=False)


class VolumeUser(serializers.Serializer[Any]):
    """A container that mounts it."""

    id = serializers.UUIDField(source="container_id")
    name = serializers.CharField(source="container_name")
    path = serializers.CharField(source="detail.path", default="")


class VolumeJson(serializers.ModelSerializer[Volume]):
    """A volume of one host."""

    host = HostBrief()
    options = serializers.DictField(child=serializers.CharField())
    labels = serializers.DictField(child=serializers.CharField())
    used_by = serializers.SerializerMethodField()
    created_at = serializers.SerializerMethodField()
    pending_order = serializers.SerializerMethodField()
    problem = OrderProblem(allow_null=True)
    rights = serializers.SerializerMethodField()

    class Meta:
        model = Volume
        fields = [
            "id", "name", "host", "state", "driver", "scope", "mountpoint", "options", "labels", "size", "used_by",
            "created_at", "observed_at", "pending_order", "problem", "version", "rights",
        ]  # fmt: skip

    @extend_schema_field(VolumeUser(many=True))
    def get_used_by(self, volume: Volume) -> list[dict[str, Any]]:
        """Containers that mount it."""
        uses = self.context["uses"].get((volume.host_id, volume.name), ())
        return [dict(VolumeUser(use).data) for use in uses]

    def get_created_at(self, volume: Volume) -> str:
        """By the engine; before that, when it was asked for."""
        return (volume.engine_created_at or volume.created_at).isoformat()

    @extend_schema_field(PendingOrder(allow_null=True))
    def get_pending_order(self, volume: Volume) -> dict[str, Any] | None:
        """Its newest open order."""
        return pending(self.context["pending"].get(volume.pk))

    def get_rights(self, volume: Volume) -> list[str]:
        """What the reader may do with it."""
        access: Access = self.context["access"]
        return [right for right in access.rights_on(volume.host_id) if right.startswith("volumes.")]


class VolumeCreate(OrderOptions):
    """Body of POST volumes/."""

    host = serializers.CharField(max_length=64, help_text="Id or name")
    name = serializers.RegexField(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$", required=False, allow_blank=True)
    driver = serializers.CharField(max_length=64, default="local")
    options = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)


class RemoveQuery(Query):
    """Parameters of DELETE."""

    force = serializers.BooleanField(default=False)
    confirm = serializers.CharField(max_length=255, default="", help_text="The volume's name")
    not_after = serializers.DateTimeField(required=False)
