"""`containers/`: the list, one, and the verbs."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import rights
from controlplane.common.errors import Invalid, Refusal
from controlplane.common.etags import check_if_match, conditional
from controlplane.common.lists import Ordering, by_id_or_name, by_labels, page
from controlplane.common.models import new_id
from controlplane.common.problems import of_refusal
from controlplane.common.views import ApiView, Operation
from controlplane.containers import serializers as s
from controlplane.containers.models import Container, ContainerState
from controlplane.containers.selectors import container_for, container_get, containers_listed, matching
from controlplane.containers.services import create, verbs
from controlplane.hosts.selectors import host_for
from controlplane.orders.answers import accepted, accepted_all
from controlplane.orders.models import Order
from controlplane.orders.selectors import orders_pending
from controlplane.orders.serializers import Batch, OrderJson, OrderOptions

RIGHT_OF = {verb: rights.CONTAINERS_REMOVE if verb == "remove" else rights.CONTAINERS_OPERATE for verb in s.BATCH_VERBS}


class ContainersView(ApiView):
    """The list, and create."""

    operations = {
        "GET": Operation(
            rights.CONTAINERS_VIEW, "List containers", query=s.ContainerQuery, response=s.ContainerRow, many=True
        ),
        "POST": Operation(
            rights.CONTAINERS_CREATE, "Create a container", body=s.ContainerCreate, response=OrderJson, status=202,
            order="container.create", action="container.create",
            example={"host": "web-1", "image": "nginx:alpine", "spec": {"HostConfig": {"Memory": 67108864}}},
        ),
    }  # fmt: skip
    ordering = Ordering(
        {
            "attention": "attention", "name": "name", "state": "state", "host": "host__name",
            "image": "image_reference", "created_at": "created_at", "restart_count": "restart_count",
        },
        "attention,name",
    )  # fmt: skip

    def get(self, request: Request) -> Response:
        """Over all hosts that one may see."""
        rows = self._filtered(containers_listed(self.access))
        return page(request, self.query, rows, ordering=self.ordering, render=self._rows)

    def post(self, request: Request) -> Response:
        """The record is there at once, in state `creating`."""
        body = dict(self.body)
        host = host_for(self.access, body.pop("host"), rights.CONTAINERS_CREATE)
        self.note(host=host, details={"image": body["image"], "name": body["name"]})
        container, order = create.container_create(host=host, access=self.access, **body)
        self.renote(container, order=order, details={"image": container.image_reference})
        return accepted(order)

    def _filtered(self, rows: Any) -> Any:
        query = self.query
        for name, field in (("name", "name__in"), ("state", "state__in"), ("image", "image_reference__in")):
            if query.get(name):
                rows = rows.filter(**{field: query[name]})
        if query.get("host"):
            rows = rows.filter(by_id_or_name("host", query["host"]))
        if query.get("health"):
            rows = rows.filter(health__in=["" if word == "none" else word for word in query["health"]])
        if query.get("stack"):
            rows = rows.filter(by_labels([f"com.docker.compose.project={name}" for name in query["stack"]]))
        if query.get("label"):
            rows = rows.filter(by_labels(query["label"]))
        if query.get("network"):
            rows = rows.filter(networks__has_any_keys=query["network"])
        if query.get("search"):
            rows = rows.filter(matching(query["search"]))
        return rows

    def _rows(self, rows: Sequence[Container]) -> list[Any]:
        context = {"access": self.access, "pending": orders_pending(row.pk for row in rows)}
        return list(s.ContainerRow(rows, many=True, context=context).data)


class ContainerView(ApiView):
    """One container."""

    operations = {
        "GET": Operation(rights.CONTAINERS_VIEW, "One container", response=s.ContainerDetail),
        "PATCH": Operation(
            rights.CONTAINERS_CREATE, "Change name, limits or restart policy in place", body=s.ContainerChange,
            response=OrderJson, status=202, order="container.update", action="container.update",
            example={"limits": {"Memory": 134217728}},
        ),
        "DELETE": Operation(
            rights.CONTAINERS_REMOVE, "Remove a container", query=s.RemoveQuery, response=OrderJson, status=202,
            order="container.remove", action="container.remove",
        ),
    }  # fmt: skip

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Also one that was removed: its last exit can still be read."""
        container = container_get(self.access, id)
        pending = orders_pending([container.pk])
        order = pending.get(container.pk)
        # The answer also shows the order and the host, whose versions are their own.
        version = f"{container.version}-{container.host.state}-{order.version if order else 0}"
        context = {"access": self.access, "pending": pending}
        return conditional(request, version, s.ContainerDetail(container, context=context).data)

    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Whatever else differs needs a new container."""
        container = container_get(self.access, id)
        self.note(container)
        container = container_for(self.access, id, rights.CONTAINERS_CREATE)
        _check_version(request, container)
        batch = new_id()
        orders = verbs.container_change(container=container, actor=self.access.actor, batch=batch, **self.body)
        if not orders:
            raise Invalid("Nothing to change: give name, limits or restart_policy", code="nothing_to_change")
        self.renote(container, order=orders[0], details={k: v for k, v in self.body.items() if k != "not_after"})
        return accepted_all(orders, batch)

    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """One whose creation failed is dismissed at once: 204."""
        container = container_get(self.access, id)
        self.note(container)
        container = container_for(self.access, id, rights.CONTAINERS_REMOVE)
        _check_version(request, container)
        if container.state == ContainerState.CREATION_FAILED and not container.engine_id:
            verbs.container_dismiss(container=container)
            return Response(status=204)
        order = verbs.container_order(container=container, verb="remove", actor=self.access.actor, **self.query)
        self.renote(container, order=order, details=self.query)
        return accepted(order)


def _check_version(request: Request, container: Container) -> None:
    header = request.headers.get("If-Match")
    if header is not None and header != "*":
        # Only the record's own version counts here: a new state of its host is no reason to refuse a change.
        told = header.strip().strip('"').partition("-")[0]
        if told != str(container.version):
            check_if_match(request, container.version)


class VerbView(ApiView):
    """A verb on one container; the address says which."""

    verb = ""

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """An order."""
        container = container_get(self.access, id)
        self.note(container, details=self.body)
        container = container_for(self.access, id, RIGHT_OF[self.verb])
        order = verbs.container_order(container=container, verb=self.verb, actor=self.access.actor, **self.body)
        self.renote(container, order=order, details={k: v for k, v in self.body.items() if k != "not_after"})
        return accepted(order)


def verb_view(verb: str, body: type[OrderOptions] = OrderOptions) -> type[VerbView]:
    """The view of one verb."""
    operation = Operation(
        RIGHT_OF[verb], f"{verb.capitalize()} a container", body=body, response=OrderJson, status=202,
        order=f"container.{verb}", action=f"container.{verb}",
    )  # fmt: skip
    return type(f"{verb.capitalize()}View", (VerbView,), {"operations": {"POST": operation}, "verb": verb})


class RenameView(ApiView):
    """Another name."""

    operations = {
        "POST": Operation(
            rights.CONTAINERS_CREATE, "Rename a container", body=s.Rename, response=OrderJson, status=202,
            order="container.rename", action="container.rename", example={"name": "web-old"},
        )
    }  # fmt: skip

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """An order."""
        container = container_get(self.access, id)
        self.note(container, details={"name": self.body["name"]})
        container = container_for(self.access, id, rights.CONTAINERS_CREATE)
        orders = verbs.container_change(container=container, actor=self.access.actor, **self.body)
        if not orders:
            raise Invalid(f"It is named {container.name} already", code="nothing_to_change")
        self.renote(container, order=orders[0], details={"name": self.body["name"]})
        return accepted(orders[0])


class CommitView(ApiView):
    """An image of a container."""

    operations = {
        "POST": Operation(
            rights.CONTAINERS_CREATE, "Make an image of a container", body=s.Commit, response=OrderJson, status=202,
            order="container.commit", action="container.commit", example={"reference": "web:fixed"},
        )
    }  # fmt: skip

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """An order."""
        container = container_get(self.access, id)
        self.note(container, details={"reference": self.body["reference"]})
        container = container_for(self.access, id, rights.CONTAINERS_CREATE)
        order = verbs.container_commit(container=container, actor=self.access.actor, **self.body)
        self.renote(container, order=order, details={"reference": self.body["reference"]})
        return accepted(order)


class BatchView(ApiView):
    """One verb on many."""

    operations = {
        "POST": Operation(
            rights.CONTAINERS_VIEW, "One verb on up to 500 containers", body=s.BatchBody, response=Batch, status=202,
            order="one each", action="container.batch",
            example={"action": "stop", "ids": ["0199d0c2-0000-7000-8000-000000000001"]},
        )
    }  # fmt: skip

    def post(self, request: Request) -> Response:
        """One order each; those that are refused are named with their problem."""
        batch = new_id()
        orders: list[Order] = []
        refused: list[dict[str, Any]] = []
        verb = self.body["action"]
        options = self._options(verb)
        for container_id in dict.fromkeys(self.body["ids"]):
            try:
                with transaction.atomic():
                    container = container_for(self.access, container_id, RIGHT_OF[verb])
                    order = verbs.container_order(
                        container=container, verb=verb, actor=self.access.actor, batch=batch, **options
                    )
            except Refusal as refusal:
                problem = of_refusal(refusal, getattr(request, "request_id", ""))
                refused.append({"id": str(container_id), "problem": problem})
                self.note(details={"action": verb, "id": str(container_id)}, refused=refusal.code)
            else:
                orders.append(order)
                self.note(container, order=order, details={"action": verb})
        return Response(Batch({"batch": batch, "orders": orders, "refused": refused}).data, status=202)

    def _options(self, verb: str) -> dict[str, Any]:
        allowed = {"stop": {"timeout", "signal"}, "restart": {"timeout", "signal"}, "kill": {"signal"},
                   "remove": {"force", "volumes"}}.get(verb, set())  # fmt: skip
        options = dict(self.body.get("options") or {})
        for name in options:
            if name not in allowed:
                raise Invalid(f"{verb} has no option {name}", code="unknown_option")
        return {**options, "not_after": self.body.get("not_after")}
