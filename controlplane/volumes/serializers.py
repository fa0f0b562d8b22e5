"""Volumes as JSON, and the bodies that order them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.common.serializers import Query
from controlplane.orders.serializers import MadeBody, OnHostJson
from controlplane.volumes.models import Volume


class VolumeUser(serializers.Serializer[Any]):
    """A container that mounts it."""

    id = serializers.UUIDField(source="container_id")
    name = serializers.CharField(source="container_name")
    path = serializers.CharField(source="detail.path", default="")


class VolumeJson(OnHostJson[Volume]):
    """A volume of one host."""

    options = serializers.DictField(child=serializers.CharField())
    used_by = serializers.SerializerMethodField()

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


class VolumeCreate(MadeBody):
    """Body of POST volumes/."""

    name = serializers.RegexField(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$", required=False, allow_blank=True)
    driver = serializers.CharField(max_length=64, default="local")


class RemoveQuery(Query):
    """Parameters of DELETE."""

    force = serializers.BooleanField(default=False)
    confirm = serializers.CharField(max_length=255, default="", help_text="The volume's name")
    not_after = serializers.DateTimeField(required=False)
