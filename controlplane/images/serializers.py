"""Images as JSON, and the bodies that order them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.common.access import Access
from controlplane.common.lists import ListQuery
from controlplane.common.serializers import Query, Repeated
from controlplane.images.models import Image
from controlplane.orders.serializers import Credential, HostBrief, OrderOptions


class ImageQuery(ListQuery):
    """Filters of the list of images."""

    host = Repeated()
    reference = Repeated()
    digest = Repeated()
    unused = serializers.BooleanField(required=False)
    dangling = serializers.BooleanField(required=False)


class ImageRow(serializers.ModelSerializer[Image]):
    """An image over all hosts that one may see."""

    references = serializers.SerializerMethodField()
    digests = serializers.SerializerMethodField()
    labels = serializers.DictField(child=serializers.CharField())
    hosts = serializers.SerializerMethodField()
    containers = serializers.SerializerMethodField(help_text="How many use it")
    created_at = serializers.DateTimeField(source="built_at", allow_null=True)
    rights = serializers.SerializerMethodField()

    class Meta:
        model = Image
        fields = [
            "id", "name", "references", "digests", "digest", "size", "created_at", "os", "architecture", "labels",
            "hosts", "containers", "version", "rights",
        ]  # fmt: skip

    def get_references(self, image: Image) -> list[str]:
        """Its names, on any host."""
        return sorted({name for copy in self._copies(image) for name in copy.references})

    def get_digests(self, image: Image) -> list[str]:
        """Its names by digest, on any host."""
        return sorted({name for copy in self._copies(image) for name in copy.digests})

    @extend_schema_field(HostBrief(many=True))
    def get_hosts(self, image: Image) -> list[dict[str, Any]]:
        """Where it is."""
        return [dict(HostBrief(copy.host).data) for copy in self._copies(image)]

    def get_containers(self, image: Image) -> int:
        """Containers that were made from it."""
        uses = self.context["uses"]
        return sum(len(uses.get((copy.host_id, image.digest), ())) for copy in self._copies(image))

    def get_rights(self, image: Image) -> list[str]:
        """What the reader may do with it on every host that has it."""
        access: Access = self.context["access"]
        held = [set(access.rights_on(copy.host_id)) for copy in self._copies(image)]
        common = set.intersection(*held) if held else set()
        return sorted(right for right in common if right.startswith("images."))

    def _copies(self, image: Image) -> list[Any]:
        copies: list[Any] = getattr(image, "visible_copies", [])
        return copies


class OnHosts(OrderOptions):
    """On which hosts; by id or name."""

    hosts = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=100)


class Pull(OnHosts):
    """Body of POST images/pull/."""

    hosts = serializers.ListField(child=serializers.CharField(max_length=64), min_length=1, max_length=100)
    reference = serializers.CharField(max_length=512)
    platform = serializers.CharField(max_length=64, required=False, allow_blank=True)
    credential = Credential(required=False)


class Build(OnHosts):
    """Body of POST images/build/; as multipart, this in the part `form` and an archive in the part `context`."""

    hosts = serializers.ListField(child=serializers.CharField(max_length=64), min_length=1, max_length=100)
    dockerfile_text = serializers.CharField(max_length=256 * 1024, required=False, trim_whitespace=False)
    dockerfile = serializers.CharField(max_length=255, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=255), default=list, max_length=20)
    target = serializers.CharField(max_length=128, required=False, allow_blank=True)
    build_args = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    platform = serializers.CharField(max_length=64, required=False, allow_blank=True)
    network = serializers.CharField(max_length=64, required=False, allow_blank=True)
    no_cache = serializers.BooleanField(default=False)
    pull = serializers.BooleanField(default=False)


class Tag(OnHosts):
    """Body of POST images/{id}/tag/."""

    reference = serializers.CharField(max_length=255)


class Push(OnHosts):
    """Body of POST images/{id}/push/."""

    reference = serializers.CharField(max_length=255)
    credential = Credential(required=False)


class ImagePrune(OnHosts):
    """Body of POST images/prune/."""

    hosts = serializers.ListField(child=serializers.CharField(max_length=64), min_length=1, max_length=100)
    all = serializers.BooleanField(default=False, help_text="Also those that have a name and no container")
    until = serializers.CharField(max_length=32, required=False)
    dry_run = serializers.BooleanField(default=False)


class RemoveQuery(Query):
    """Parameters of DELETE."""

    force = serializers.BooleanField(default=False)
    hosts = Repeated()
    reference = serializers.CharField(max_length=255, required=False, help_text="Only this name of the image")
    not_after = serializers.DateTimeField(required=False)


class HistoryQuery(Query):
    """Parameters of history."""

    host = serializers.CharField(max_length=64, required=False)


class Layer(serializers.Serializer[Any]):
    """One step of an image's history."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    size = serializers.IntegerField()
    tags = serializers.ListField(child=serializers.CharField())
    comment = serializers.CharField()


class Layers(serializers.Serializer[Any]):
    """An image's history, newest first."""

    results = Layer(many=True)


class User(serializers.Serializer[Any]):
    """A container that uses an image."""

    id = serializers.UUIDField(source="container_id")
    name = serializers.CharField(source="container_name")
    host = HostBrief()


class Users(serializers.Serializer[Any]):
    """Containers that use it."""

    results = User(many=True)


class KindReclaimable(serializers.Serializer[Any]):
    """Count and bytes."""

    count = serializers.IntegerField()
    bytes = serializers.IntegerField()


class ImagesReclaimable(serializers.Serializer[Any]):
    """With `dry_run`: what would go, from the records."""

    reclaimable = serializers.DictField(child=KindReclaimable())
