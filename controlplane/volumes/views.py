"""`volumes/`."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import rights
from controlplane.common.access import Access
from controlplane.common.errors import NotFound
from controlplane.common.etags import conditional
from controlplane.common.lists import Ordering, by_words, page
from controlplane.common.views import ApiView, Operation
from controlplane.hosts.models import HostState, Use
from controlplane.hosts.selectors import host_for, on_visible_hosts
from controlplane.hosts.uses import uses_of
from controlplane.orders.answers import accepted
from controlplane.orders.selectors import orders_pending
from controlplane.orders.serializers import MadeQuery, OrderJson
from controlplane.volumes import serializers as s
from controlplane.volumes import services
from controlplane.volumes.models import Volume


def volumes_visible(access: Access) -> QuerySet[Volume]:
    """Volumes on hosts that the actor may see."""
    rows = Volume.objects.select_related("host").exclude(host__state=HostState.REVOKED)
    return on_visible_hosts(rows, access, rights.VOLUMES_VIEW)


def context_of(access: Access, rows: Sequence[Volume]) -> dict[str, Any]:
    """What the serializer needs of others' tables."""
    uses = uses_of(access, Use.Kind.VOLUME, [row.name for row in rows])
    return {"access": access, "uses": uses, "pending": orders_pending(row.pk for row in rows)}


class VolumesView(ApiView):
    """The list, and create."""

    operations = {
        "GET": Operation(rights.VOLUMES_VIEW, "List volumes", query=MadeQuery, response=s.VolumeJson, many=True),
        "POST": Operation(
            rights.VOLUMES_MANAGE, "Create a volume", body=s.VolumeCreate, response=OrderJson, status=202,
            order="volume.create", action="volume.create", example={"host": "web-1", "name": "db-data"},
        ),
    }  # fmt: skip
    ordering = Ordering({"name": "name", "host": "host__name", "driver": "driver", "created_at": "created_at"}, "name")

    def get(self, request: Request) -> Response:
        """By host, name, driver, label, use."""
        query = self.query
        rows = by_words(volumes_visible(self.access), query, "name", "state", "driver")
        if "unused" in query:
            used = Exists(Use.objects.filter(kind=Use.Kind.VOLUME, key=OuterRef("name"), host=OuterRef("host")))
            rows = rows.filter(~used if query["unused"] else used)
        return page(request, query, rows, ordering=self.ordering, render=self._rows)

    def post(self, request: Request) -> Response:
        """The record is there at once, in state `creating`."""
        body = dict(self.body)
        host = host_for(self.access, body.pop("host"), rights.VOLUMES_MANAGE)
        self.note(host=host, details={"name": body.get("name", "")})
        volume, order = services.volume_create(host=host, access=self.access, **body)
        self.renote(volume, order=order)
        return accepted(order)

    def _rows(self, rows: Sequence[Volume]) -> list[Any]:
        return list(s.VolumeJson(rows, many=True, context=context_of(self.access, rows)).data)


class VolumeView(ApiView):
    """One volume."""

    operations = {
        "GET": Operation(rights.VOLUMES_VIEW, "One volume", response=s.VolumeJson),
        "DELETE": Operation(
            rights.VOLUMES_MANAGE, "Remove a volume and what it holds", query=s.RemoveQuery, response=OrderJson,
            status=202, order="volume.remove", action="volume.remove",
        ),
    }  # fmt: skip

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """With the containers that mount it."""
        volume = self._volume(id)
        data = s.VolumeJson(volume, context=context_of(self.access, [volume])).data
        users = "-".join(str(user["id"])[-4:] for user in data["used_by"])
        pending = (data["pending_order"] or {}).get("state", "")
        return conditional(request, f"{volume.version}-{volume.host.state}-{pending}-{users}", data)

    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Its name must be repeated; one whose creation failed is dismissed at once: 204."""
        volume = self._volume(id)
        self.note(volume)
        self.access.require(rights.VOLUMES_MANAGE, volume.host_id, volume.host.name)
        order = services.volume_remove(volume=volume, access=self.access, **self.query)
        if order is None:
            return Response(status=204)
        self.renote(volume, order=order)
        return accepted(order)

    def _volume(self, id: uuid.UUID) -> Volume:
        volume = volumes_visible(self.access).filter(pk=id).first()
        if volume is None:
            raise NotFound("No such volume, or you have no access to it")
        return volume
