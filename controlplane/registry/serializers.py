"""Repositories, tags and manifests as JSON."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.common.lists import ListQuery
from controlplane.common.serializers import Repeated
from controlplane.registry.models import Manifest, Repository, Tag


class RepositoryQuery(ListQuery):
    """Filters of the list of repositories."""

    name = Repeated()


class RepositoryJson(serializers.ModelSerializer[Repository]):
    """A repository; `size` is that of its blobs, each once."""

    tags = serializers.IntegerField(source="tag_count")
    size = serializers.IntegerField(source="blob_size")

    class Meta:
        model = Repository
        fields = ["id", "name", "tags", "size", "pulls", "pushed_at", "pushed_by", "created_at", "version"]


class TagQuery(ListQuery):
    """Filters of the list of tags."""

    name = Repeated()


class TagJson(serializers.ModelSerializer[Tag]):
    """A tag and what it stands for now."""

    digest = serializers.CharField(source="manifest.digest")
    media_type = serializers.CharField(source="manifest.media_type")
    size = serializers.IntegerField(source="manifest.total_size")

    class Meta:
        model = Tag
        fields = ["id", "name", "digest", "media_type", "size", "pushed_at", "pushed_by"]


class ManifestJson(serializers.ModelSerializer[Manifest]):
    """A manifest, with its document and the tags that name it."""

    tags = serializers.SerializerMethodField()
    manifest = serializers.SerializerMethodField()
    size = serializers.IntegerField(source="total_size")

    class Meta:
        model = Manifest
        fields = [
            "id", "digest", "media_type", "artifact_type", "subject", "annotations", "size", "tags", "manifest",
            "pushed_by", "created_at",
        ]  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_tags(self, manifest: Manifest) -> list[str]:
        """Names of the tags, in order."""
        return sorted(manifest.tags.values_list("name", flat=True))

    @extend_schema_field(serializers.DictField())
    def get_manifest(self, manifest: Manifest) -> dict[str, Any]:
        """The document as it was pushed."""
        document: dict[str, Any] = json.loads(bytes(manifest.content))
        return document
