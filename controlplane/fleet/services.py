"""The verbs on a host that touch more than its row."""

from datetime import datetime
from typing import Any

from django.db import transaction

from controlplane.common.access import Actor
from controlplane.fleet.prune import reclaimable
from controlplane.gateway import dial
from controlplane.hosts.models import Host, Use
from controlplane.hosts.services import host_revoke
from controlplane.orders.models import Order
from controlplane.orders.services import host_orders_end, order_create


def revoke(*, host: Host, reason: str) -> Host:
    """End a host and its open orders."""
    with transaction.atomic():
        revoked = host_revoke(host=host, reason=reason)
        host_orders_end(host=host)
    return revoked


def prune(*, host: Host, kinds: list[str], until: str | None, actor: Actor, not_after: datetime | None) -> Order:
    """Remove what nothing uses."""
    args: dict[str, Any] = {"kinds": kinds}
    if until:
        args["filters"] = {"until": [until]}
    return order_create(host=host, op="system.prune", args=args, target=host, actor=actor, not_after=not_after)


def prune_preview(*, host: Host, kinds: list[str]) -> dict[str, dict[str, int]]:
    """What a prune would free, asked of the host now.

    Raises:
        Unavailable: the host is away.
    """
    usage = dial.call(host.pk, "GET", "/system/df").json() or {}
    used = Use.objects.filter(host=host, kind=Use.Kind.NETWORK).values("key")
    unused = host.networks.exclude(name__in=["bridge", "host", "none"]).exclude(engine_id__in=used).count()
    return reclaimable(usage, kinds, unused)


def refresh(*, host: Host, actor: Actor) -> Order:
    """Ask for a whole inventory."""
    return order_create(host=host, op="host.refresh", args={}, target=host, actor=actor)
