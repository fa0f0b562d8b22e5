"""`repositories/`: what was pushed into our own registry."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models.functions import Coalesce
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import rights
from controlplane.common.dispatch import send_on_commit
from controlplane.common.etags import conditional
from controlplane.common.lists import Ordering, page
from controlplane.common.views import ApiView, Operation
from controlplane.registry import serializers as s
from controlplane.registry import services
from controlplane.registry.models import Repository, Tag
from controlplane.registry.selectors import manifest_get, repositories, repository_get, tag_get

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class RepositoriesView(ApiView):
    """The list."""

    operations = {
        "GET": Operation(
            rights.REGISTRY_PULL, "List repositories", query=s.RepositoryQuery, response=s.RepositoryJson, many=True
        )
    }
    ordering = Ordering(
        {
            "name": "name",
            "size": "blob_size",
            "tags": "tag_count",
            "pulls": "pulls",
            "created_at": "created_at",
            "pushed_at": Coalesce("pushed_at", NEVER),
        },
        "name",
    )

    def get(self, request: Request) -> Response:
        """By name."""
        rows, query = repositories(), self.query
        if query.get("name"):
            rows = rows.filter(name__in=query["name"])
        if query.get("search"):
            rows = rows.filter(name__icontains=query["search"])
        return page(request, query, rows, ordering=self.ordering, render=self._rows)

    def _rows(self, rows: Sequence[Repository]) -> list[Any]:
        return list(s.RepositoryJson(rows, many=True).data)


class TagsView(ApiView):
    """The tags of one repository."""

    operations = {"GET": Operation(rights.REGISTRY_PULL, "List tags", query=s.TagQuery, response=s.TagJson, many=True)}
    ordering = Ordering({"name": "name", "pushed_at": "pushed_at", "size": "manifest__total_size"}, "name")

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """By name."""
        rows, query = Tag.objects.filter(repository=repository_get(id)).select_related("manifest"), self.query
        if query.get("name"):
            rows = rows.filter(name__in=query["name"])
        if query.get("search"):
            rows = rows.filter(name__icontains=query["search"])
        return page(request, query, rows, ordering=self.ordering, render=self._rows)

    def _rows(self, rows: Sequence[Tag]) -> list[Any]:
        return list(s.TagJson(rows, many=True).data)


class TagView(ApiView):
    """One tag."""

    operations = {
        "DELETE": Operation(rights.REGISTRY_MANAGE, "Remove a tag", status=204, action="repository.tag_remove")
    }

    def delete(self, request: Request, id: uuid.UUID, tag: str) -> Response:
        """What it stood for stays, and can be pulled by digest."""
        found = tag_get(id, tag)
        self.note(found.repository, details={"tag": tag, "digest": found.manifest.digest})
        services.tag_remove(tag=found)
        return Response(status=204)


class ManifestView(ApiView):
    """One manifest, by digest."""

    operations = {
        "GET": Operation(rights.REGISTRY_PULL, "One manifest", response=s.ManifestJson),
        "DELETE": Operation(
            rights.REGISTRY_MANAGE, "Remove a manifest with its tags", status=204, action="repository.manifest_remove"
        ),
    }

    def get(self, request: Request, id: uuid.UUID, digest: str) -> Response:
        """With its document and its tags."""
        manifest = manifest_get(id, digest)
        return conditional(request, f"{manifest.repository.version}-{digest}", s.ManifestJson(manifest).data)

    def delete(self, request: Request, id: uuid.UUID, digest: str) -> Response:
        """Its bytes go with the next collection."""
        manifest = manifest_get(id, digest)
        self.note(manifest.repository, details={"digest": digest})
        services.manifest_remove(manifest=manifest)
        return Response(status=204)


class CollectView(ApiView):
    """The collection of what nothing names."""

    operations = {
        "POST": Operation(rights.REGISTRY_MANAGE, "Collect unreferenced blobs", status=202, action="repository.collect")
    }

    def post(self, request: Request) -> Response:
        """A worker does it; blobs younger than a day stay."""
        send_on_commit("registry.collect")
        return Response(status=202)
