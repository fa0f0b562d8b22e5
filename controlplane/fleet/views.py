"""`hosts/`, `enrolments/`, `events/`."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import rights
from controlplane.common.errors import NotFound
from controlplane.common.etags import check_if_match, conditional
from controlplane.common.lists import Ordering, by_id_or_name, by_labels, is_uuid, page
from controlplane.common.views import ApiView, Operation
from controlplane.fleet import serializers as s
from controlplane.fleet import services
from controlplane.hosts import services as hosts
from controlplane.hosts.models import Enrolment, Event, Host, HostState
from controlplane.hosts.selectors import ATTENTION, host_get, hosts_visible, matching, on_visible_hosts, with_counts
from controlplane.orders.answers import accepted
from controlplane.orders.serializers import OrderJson, OrderOptions


class HostsView(ApiView):
    """The list."""

    operations = {"GET": Operation(rights.HOSTS_VIEW, "List hosts", query=s.HostQuery, response=s.HostRow, many=True)}
    ordering = Ordering(
        {"attention": ATTENTION, "name": "name", "state": "state", "created_at": "created_at"}, "attention,name"
    )

    def get(self, request: Request) -> Response:
        """By name, state, label, engine."""
        query = self.query
        rows = with_counts(hosts_visible(self.access))
        rows = rows.filter(state__in=query["state"]) if query.get("state") else rows.exclude(state=HostState.REVOKED)
        if query.get("name"):
            rows = rows.filter(name__in=query["name"])
        if query.get("label"):
            rows = rows.filter(by_labels(query["label"]))
        if query.get("engine"):
            rows = rows.filter(engine__name__in=query["engine"])
        if query.get("host"):
            rows = rows.filter(Q(pk__in=[w for w in query["host"] if is_uuid(w)]) | Q(name__in=query["host"]))
        if query.get("search"):
            rows = rows.filter(matching(query["search"]))
        return page(request, query, rows, ordering=self.ordering, render=self._rows)

    def _rows(self, rows: Sequence[Host]) -> list[Any]:
        return list(s.HostRow(rows, many=True, context={"access": self.access}).data)


class HostView(ApiView):
    """One host."""

    operations = {
        "GET": Operation(rights.HOSTS_VIEW, "One host", response=s.HostDetail),
        "PATCH": Operation(
            rights.HOSTS_MANAGE, "Rename or label a host", body=s.HostChange, response=s.HostDetail,
            action="host.update", example={"labels": {"rack": "b2"}},
        ),
    }  # fmt: skip

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Its facts, engine, policy and counts."""
        host = host_get(self.access, id)
        return conditional(request, host.version, self._json(host))

    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Name and labels."""
        host = host_get(self.access, id)
        self.note(host, host=host, details=self.body)
        self.access.require(rights.HOSTS_MANAGE, host.pk, host.name)
        check_if_match(request, host.version)
        host = hosts.host_change(host=host, changes=self.body)
        return Response(self._json(host), headers={"ETag": f'"{host.version}"'})

    def _json(self, host: Host) -> Any:
        counted = with_counts(Host.objects.filter(pk=host.pk)).get()
        return s.HostDetail(counted, context={"access": self.access}).data


class HostVerb(ApiView):
    """A verb on a host that the actor manages."""

    def managed(self, host_id: uuid.UUID) -> Host:
        """The host, once the right is checked.

        Raises:
            NotFound, Denied: see there.
        """
        host = host_get(self.access, host_id)
        self.note(host, host=host)
        self.access.require(rights.HOSTS_MANAGE, host.pk, host.name)
        return host


class RevokeView(HostVerb):
    """Forget a host."""

    operations = {
        "POST": Operation(
            rights.HOSTS_MANAGE, "Revoke a host for good", body=s.Revoke, response=s.HostDetail, action="host.revoke",
            example={"reason": "sold"},
        )
    }  # fmt: skip

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Its key is deleted, its connection closed; its containers run on."""
        services.revoke(host=self.managed(id), reason=self.body["reason"])
        counted = with_counts(Host.objects.filter(pk=id)).get()
        return Response(s.HostDetail(counted, context={"access": self.access}).data)


class PruneView(HostVerb):
    """Free disk."""

    operations = {
        "POST": Operation(
            rights.HOSTS_MANAGE, "Remove what nothing uses, or tell what that would free", body=s.Prune,
            response=PolymorphicProxySerializer(
                "PruneResult", serializers=[s.PruneAnswer, OrderJson], resource_type_field_name=None
            ),
            status=202, order="system.prune", action="host.prune", example={"kinds": ["images"]},
        )
    }  # fmt: skip

    @property
    def atomic(self) -> bool:
        """The preview asks the host."""
        return not self.body["dry_run"]

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """With `dry_run` 200 and what would go, asked of the host now."""
        host, body = self.managed(id), self.body
        if body["dry_run"]:
            return Response({"reclaimable": services.prune_preview(host=host, kinds=body["kinds"])})
        order = services.prune(
            host=host,
            kinds=body["kinds"],
            until=body.get("until"),
            actor=self.access.actor,
            not_after=body.get("not_after"),
        )
        self.renote(host, order=order)
        return accepted(order)


class RefreshView(HostVerb):
    """Ask again."""

    operations = {
        "POST": Operation(
            rights.HOSTS_MANAGE, "Ask a host for everything it has", body=OrderOptions, response=OrderJson, status=202,
            order="host.refresh", action="host.refresh",
        )
    }  # fmt: skip

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """A whole inventory."""
        host = self.managed(id)
        order = services.refresh(host=host, actor=self.access.actor)
        self.renote(host, order=order)
        return accepted(order)


class EnrolmentsView(ApiView):
    """Join strings."""

    operations = {
        "GET": Operation(
            rights.HOSTS_ENROL, "List enrolments", query=s.EnrolmentQuery, response=s.EnrolmentJson, many=True
        ),
        "POST": Operation(
            rights.HOSTS_ENROL, "Make a join string; it is shown in this answer only", body=s.EnrolmentCreate,
            response=s.NewEnrolment, status=201, action="enrolment.create", example={"name": "web-1"},
        ),
    }  # fmt: skip
    ordering = Ordering({"created_at": "created_at", "name": "host__name"}, "-created_at")

    def get(self, request: Request) -> Response:
        """By host name and state."""
        rows, query, now = Enrolment.objects.select_related("host"), self.query, timezone.now()
        if query.get("name"):
            rows = rows.filter(host__name__in=query["name"])
        if query.get("search"):
            rows = rows.filter(host__name__icontains=query["search"])
        states = {
            "spent": Q(spent_at__isnull=False),
            "waiting": Q(spent_at=None, expires_at__gt=now),
            "expired": Q(spent_at=None, expires_at__lte=now),
        }
        if query.get("state"):
            wanted = Q()
            for state in query["state"]:
                wanted |= states[state]
            rows = rows.filter(wanted)
        return page(request, query, rows, ordering=self.ordering, render=_enrolments)

    def post(self, request: Request) -> Response:
        """A pending host and the string that fills its place."""
        enrolment, join_string = hosts.enrolment_create(created_by=self.access.actor.name, **self.body)
        self.note(enrolment.host, host=enrolment.host)
        enrolment.join_string = join_string  # type: ignore[attr-defined]
        enrolment.command = f"printf '%s\\n' '{join_string}' | sudo scripts/join"  # type: ignore[attr-defined]
        headers = {"Location": f"/api/enrolments/{enrolment.pk}/", "Cache-Control": "no-store"}
        return Response(s.NewEnrolment(enrolment).data, status=201, headers=headers)


def _enrolments(rows: Sequence[Enrolment]) -> list[Any]:
    return list(s.EnrolmentJson(rows, many=True).data)


class EnrolmentView(ApiView):
    """One join string's place."""

    operations = {
        "GET": Operation(rights.HOSTS_ENROL, "One enrolment", response=s.EnrolmentJson),
        "DELETE": Operation(rights.HOSTS_ENROL, "Make a join string useless", status=204, action="enrolment.delete"),
    }

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """How far it is, without the string."""
        return Response(s.EnrolmentJson(self._enrolment(id)).data)

    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Before it was spent; a host that came in is revoked instead."""
        enrolment = self._enrolment(id)
        self.note(enrolment.host, host=enrolment.host)
        hosts.enrolment_delete(enrolment=enrolment)
        return Response(status=204)

    def _enrolment(self, id: uuid.UUID) -> Enrolment:
        enrolment = Enrolment.objects.select_related("host").filter(pk=id).first()
        if enrolment is None:
            raise NotFound("No such enrolment")
        return enrolment


class EventsView(ApiView):
    """What engines reported."""

    operations = {
        "GET": Operation(rights.HOSTS_VIEW, "List events", query=s.EventQuery, response=s.EventJson, many=True)
    }
    ordering = Ordering({"time": "at", "at": "at"}, "-time")

    def get(self, request: Request) -> Response:
        """By kind, action, object, host and time."""
        query = self.query
        rows = on_visible_hosts(Event.objects.select_related("host"), self.access, rights.HOSTS_VIEW)
        for name, field in (("kind", "kind__in"), ("action", "action__in"), ("from", "at__gte"), ("to", "at__lt")):
            if query.get(name):
                rows = rows.filter(**{field: query[name]})
        if query.get("host"):
            rows = rows.filter(by_id_or_name("host", query["host"]))
        if query.get("object"):
            ids = [word for word in query["object"] if is_uuid(word)]
            rows = rows.filter(Q(object_id__in=ids) | Q(object_name__in=query["object"]))
        if query.get("search"):
            rows = rows.filter(Q(object_name__icontains=query["search"]) | Q(action__icontains=query["search"]))
        return page(request, query, rows, ordering=self.ordering, render=_events)


def _events(rows: Sequence[Event]) -> list[Any]:
    return list(s.EventJson(rows, many=True).data)
