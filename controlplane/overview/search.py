"""`search/`: find by name, id prefix, image, label, address or published port, over everything that one may see."""

from collections.abc import Iterable
from typing import Any, Final

from django.db.models import Q
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common.permissions import SELF
from controlplane.common.serializers import Query
from controlplane.common.views import ApiView, Operation
from controlplane.containers.selectors import containers_listed, matching
from controlplane.hosts.models import HostState
from controlplane.hosts.selectors import hosts_visible
from controlplane.images.selectors import images_visible
from controlplane.networks.views import networks_visible
from controlplane.volumes.views import volumes_visible

MOST: Final = 10


class SearchQuery(Query):
    """What was typed."""

    q = serializers.CharField(max_length=255)


class Hit(serializers.Serializer[Any]):
    """One object."""

    type = serializers.CharField()
    id = serializers.UUIDField()
    name = serializers.CharField()
    host = serializers.CharField(allow_null=True)
    hint = serializers.CharField()


class Group(serializers.Serializer[Any]):
    """Objects of one kind."""

    type = serializers.CharField()
    results = Hit(many=True)


class Groups(serializers.Serializer[Any]):
    """Found, by kind; a kind without any is left out."""

    groups = Group(many=True)


class SearchView(ApiView):
    """The palette's question."""

    operations = {
        "GET": Operation(SELF, "Find by name, id, image, label, address or port", query=SearchQuery, response=Groups)
    }

    def get(self, request: Request) -> Response:
        """At most ten of a kind."""
        words, access = self.query["q"].strip(), self.access
        found = matching(words)
        images = Q(name__icontains=words) | Q(digest__istartswith=f"sha256:{words}")
        named = Q(name__icontains=words)
        hosts = hosts_visible(access).exclude(state=HostState.REVOKED)
        groups: dict[str, Iterable[tuple[Any, str | None, str]]] = {
            "container": ((r, r.host.name, r.image_reference) for r in containers_listed(access).filter(found)[:MOST]),
            "image": ((r, None, r.digest[7:19]) for r in images_visible(access).filter(images)[:MOST]),
            "volume": ((r, r.host.name, r.driver) for r in volumes_visible(access).filter(named)[:MOST]),
            "network": ((r, r.host.name, r.driver) for r in networks_visible(access).filter(named)[:MOST]),
            "host": ((r, r.name, r.state) for r in hosts.filter(named)[:MOST]),
        }
        hits = {kind: _hits(kind, rows) for kind, rows in groups.items()}
        return Response({"groups": [{"type": kind, "results": rows} for kind, rows in hits.items() if rows]})


def _hits(kind: str, rows: Iterable[tuple[Any, str | None, str]]) -> list[dict[str, Any]]:
    return [{"type": kind, "id": row.pk, "name": str(row), "host": host, "hint": hint} for row, host, hint in rows]
