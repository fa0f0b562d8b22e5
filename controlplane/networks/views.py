"""`networks/`."""

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
from controlplane.networks import serializers as s
from controlplane.networks import services
from controlplane.networks.models import Network
from controlplane.orders.answers import accepted
from controlplane.orders.selectors import orders_pending
from controlplane.orders.serializers import MadeQuery, OrderJson


def networks_visible(access: Access) -> QuerySet[Network]:
    """Networks on hosts that the actor may see."""
    rows = Network.objects.select_related("host").exclude(host__state=HostState.REVOKED)
    return on_visible_hosts(rows, access, rights.NETWORKS_VIEW)


def network_get(access: Access, network_id: uuid.UUID) -> Network:
    """One network.

    Raises:
        NotFound: none, or not for this actor.
    """
    network = networks_visible(access).filter(pk=network_id).first()
    if network is None:
        raise NotFound("No such network, or you have no access to it")
    return network


def context_of(access: Access, rows: Sequence[Network]) -> dict[str, Any]:
    """What the serializer needs of others' tables."""
    uses = uses_of(access, Use.Kind.NETWORK, [row.engine_id for row in rows if row.engine_id])
    return {"access": access, "uses": uses, "pending": orders_pending(row.pk for row in rows)}


class NetworksView(ApiView):
    """The list, and create."""

    operations = {
        "GET": Operation(
            rights.NETWORKS_VIEW, "List networks", query=MadeQuery, response=s.NetworkJson, many=True
        ),
        "POST": Operation(
            rights.NETWORKS_MANAGE, "Create a network", body=s.NetworkCreate, response=OrderJson, status=202,
            order="network.create", action="network.create", example={"host": "web-1", "name": "backend"},
        ),
    }  # fmt: skip
    ordering = Ordering({"name": "name", "host": "host__name", "driver": "driver", "created_at": "created_at"}, "name")

    def get(self, request: Request) -> Response:
        """By host, name, driver, label, use."""
        query = self.query
        rows = by_words(networks_visible(self.access), query, "name", "state", "driver", searched="subnets")
        if "unused" in query:
            used = Exists(Use.objects.filter(kind=Use.Kind.NETWORK, key=OuterRef("engine_id")))
            rows = rows.filter(~used if query["unused"] else used)
        return page(request, query, rows, ordering=self.ordering, render=self._rows)

    def post(self, request: Request) -> Response:
        """The record is there at once, in state `creating`."""
        body = dict(self.body)
        host = host_for(self.access, body.pop("host"), rights.NETWORKS_MANAGE)
        self.note(host=host, details={"name": body["name"]})
        network, order = services.network_create(
            host=host, access=self.access, name=body["name"], body=body, not_after=body.get("not_after")
        )
        self.renote(network, order=order)
        return accepted(order)

    def _rows(self, rows: Sequence[Network]) -> list[Any]:
        return list(s.NetworkJson(rows, many=True, context=context_of(self.access, rows)).data)


class NetworkView(ApiView):
    """One network."""

    operations = {
        "GET": Operation(rights.NETWORKS_VIEW, "One network", response=s.NetworkJson),
        "DELETE": Operation(
            rights.NETWORKS_MANAGE, "Remove a network", query=s.RemoveQuery, response=OrderJson, status=202,
            order="network.remove", action="network.remove",
        ),
    }  # fmt: skip

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """With the containers on it."""
        network = network_get(self.access, id)
        data = s.NetworkJson(network, context=context_of(self.access, [network])).data
        users = "-".join(str(user["id"])[-4:] for user in data["containers"])
        pending = (data["pending_order"] or {}).get("state", "")
        return conditional(request, f"{network.version}-{network.host.state}-{pending}-{users}", data)

    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """One whose creation failed is dismissed at once: 204."""
        network = network_get(self.access, id)
        self.note(network)
        self.access.require(rights.NETWORKS_MANAGE, network.host_id, network.host.name)
        order = services.network_remove(network=network, actor=self.access.actor, **self.query)
        if order is None:
            return Response(status=204)
        self.renote(network, order=order)
        return accepted(order)


class JoinView(ApiView):
    """A container on to a network, or off it."""

    verb = ""

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """An order."""
        network, body = network_get(self.access, id), self.body
        self.note(network, details={"container": body["container"]})
        self.access.require(rights.NETWORKS_MANAGE, network.host_id, network.host.name)
        use = services.container_on(network.host, body["container"])
        order = services.network_join(
            network=network, verb=self.verb, container=use.container_id, engine_id=use.engine_id,
            actor=self.access.actor, extra=self.extra(), not_after=body.get("not_after"),
        )  # fmt: skip
        self.renote(network, order=order, details={"container": use.container_name})
        return accepted(order)

    def extra(self) -> dict[str, Any]:
        """The verb's own args."""
        return {}


class ConnectView(JoinView):
    """On to it."""

    verb = "connect"
    operations = {
        "POST": Operation(
            rights.NETWORKS_MANAGE, "Connect a container", body=s.Connect, response=OrderJson, status=202,
            order="network.connect", action="network.connect", example={"container": "web", "aliases": ["www"]},
        )
    }  # fmt: skip

    def extra(self) -> dict[str, Any]:
        """Docker's EndpointConfig."""
        addresses = {"IPv4Address": self.body.get("ipv4"), "IPv6Address": self.body.get("ipv6")}
        config: dict[str, Any] = {}
        if any(addresses.values()):
            config["IPAMConfig"] = {key: value for key, value in addresses.items() if value}
        if self.body.get("aliases"):
            config["Aliases"] = self.body["aliases"]
        return {"config": config}


class DisconnectView(JoinView):
    """Off it."""

    verb = "disconnect"
    operations = {
        "POST": Operation(
            rights.NETWORKS_MANAGE, "Disconnect a container", body=s.Disconnect, response=OrderJson, status=202,
            order="network.disconnect", action="network.disconnect", example={"container": "web"},
        )
    }  # fmt: skip

    def extra(self) -> dict[str, Any]:
        """Whether it is pulled off."""
        return {"force": True} if self.body.get("force") else {}
