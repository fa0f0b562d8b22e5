"""Networks as JSON, and the bodies that order them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.common.serializers import Query, Strict
from controlplane.networks.models import Network
from controlplane.orders.serializers import MadeBody, OnHostJson, OrderOptions


class NetworkUser(serializers.Serializer[Any]):
    """A container on it."""

    id = serializers.UUIDField(source="container_id")
    name = serializers.CharField(source="container_name")
    ipv4 = serializers.CharField(source="detail.ipv4", default="")


class Subnet(serializers.Serializer[Any]):
    """One subnet."""

    subnet = serializers.CharField()
    gateway = serializers.CharField(required=False)
    range = serializers.CharField(required=False)


class SubnetBody(Strict):
    """One subnet that is asked for."""

    subnet = serializers.CharField(max_length=64)
    gateway = serializers.CharField(max_length=64, required=False, allow_blank=True)
    range = serializers.CharField(max_length=64, required=False, allow_blank=True)


class NetworkJson(OnHostJson[Network]):
    """A network of one host."""

    subnets = Subnet(many=True)
    options = serializers.DictField(child=serializers.CharField())
    containers = serializers.SerializerMethodField()

    class Meta:
        model = Network
        fields = [
            "id", "engine_id", "name", "host", "state", "driver", "scope", "subnets", "internal", "attachable", "ipv6",
            "options", "labels", "containers", "created_at", "observed_at", "pending_order", "problem", "version",
            "rights",
        ]  # fmt: skip

    @extend_schema_field(NetworkUser(many=True))
    def get_containers(self, network: Network) -> list[dict[str, Any]]:
        """Containers on it."""
        uses = self.context["uses"].get((network.host_id, network.engine_id), ())
        return [dict(NetworkUser(use).data) for use in uses]


class NetworkCreate(MadeBody):
    """Body of POST networks/."""

    name = serializers.RegexField(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$")
    driver = serializers.CharField(max_length=64, required=False)
    subnets = SubnetBody(many=True, required=False)
    internal = serializers.BooleanField(required=False)
    attachable = serializers.BooleanField(required=False)
    ipv6 = serializers.BooleanField(required=False)


class RemoveQuery(Query):
    """Parameters of DELETE."""

    not_after = serializers.DateTimeField(required=False)


class Connect(OrderOptions):
    """Body of connect."""

    container = serializers.CharField(max_length=255, help_text="Id or name")
    aliases = serializers.ListField(child=serializers.CharField(max_length=255), required=False)
    ipv4 = serializers.IPAddressField(protocol="IPv4", required=False)
    ipv6 = serializers.IPAddressField(protocol="IPv6", required=False)


class Disconnect(OrderOptions):
    """Body of disconnect."""

    container = serializers.CharField(max_length=255, help_text="Id or name")
    force = serializers.BooleanField(required=False)
