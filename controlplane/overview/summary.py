"""`summary/`: how much of what there is, and what needs attention, worst first."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common.access import Access
from controlplane.common.permissions import SELF
from controlplane.common.views import ApiView, Operation
from controlplane.containers.attention import ROUTINE
from controlplane.containers.models import Container, ContainerState
from controlplane.containers.selectors import containers_listed
from controlplane.hosts.models import Host, HostState
from controlplane.hosts.selectors import hosts_visible
from controlplane.images.selectors import images_visible
from controlplane.networks.views import networks_visible
from controlplane.orders.models import Order, OrderState
from controlplane.orders.selectors import orders_visible
from controlplane.orders.serializers import HostBrief
from controlplane.orders.states import OPEN
from controlplane.volumes.views import volumes_visible

MOST: Final = 100
FULL: Final = 0.85
RECENT: Final = timedelta(hours=24)


class AttentionItem(serializers.Serializer[Any]):
    """One thing that is wrong."""

    kind = serializers.CharField()
    type = serializers.CharField()
    id = serializers.UUIDField()
    op = serializers.CharField(allow_blank=True)  # of an order
    name = serializers.CharField()
    host = HostBrief(allow_null=True)
    state = serializers.CharField()
    detail = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    rank = serializers.IntegerField()


class Summary(serializers.Serializer[Any]):
    """Counts by state, and what needs attention."""

    checked_at = serializers.DateTimeField()
    containers = serializers.DictField(child=serializers.IntegerField())
    hosts = serializers.DictField(child=serializers.IntegerField())
    orders = serializers.DictField(child=serializers.IntegerField())
    counts = serializers.DictField(child=serializers.IntegerField())
    attention = AttentionItem(many=True)


class SummaryView(ApiView):
    """Home."""

    operations = {"GET": Operation(SELF, "Counts, and what needs attention", response=Summary)}

    def get(self, request: Request) -> Response:
        """Of what one may see."""
        access, now = self.access, timezone.now()
        hosts = hosts_visible(access).exclude(state=HostState.REVOKED)
        containers, orders = containers_listed(access), orders_visible(access)
        found = [*_containers(access), *_hosts(hosts), *_orders(access, now)]
        found.sort(key=lambda item: (item["rank"], -(item["since"] or now).timestamp()))
        return Response(
            Summary(
                {
                    "checked_at": now,
                    "containers": _by_state(containers),
                    "hosts": _by_state(hosts),
                    "orders": _by_state(orders.filter(state__in=OPEN)),
                    "counts": {
                        "containers": containers.count(),
                        "hosts": hosts.count(),
                        "images": images_visible(access).count(),
                        "volumes": volumes_visible(access).count(),
                        "networks": networks_visible(access).count(),
                    },
                    "attention": found[:MOST],
                }
            ).data
        )


def _by_state(rows: Any) -> dict[str, int]:
    counted = rows.order_by().values("state").annotate(n=Count("pk", distinct=True))
    return {row["state"]: row["n"] for row in counted}


def _containers(access: Access) -> list[dict[str, Any]]:
    rows = containers_listed(access).filter(attention__lt=ROUTINE).order_by("attention", "name")[:MOST]
    return [
        {
            "kind": _kind(row), "type": "container", "id": row.pk, "op": "", "name": row.name, "host": row.host,
            "state": row.state, "detail": _detail(row),
            "since": row.finished_at or row.observed_at or row.created_at, "rank": row.attention,
        }
        for row in rows
    ]  # fmt: skip


def _kind(row: Container) -> str:
    if row.oom_killed and row.state != ContainerState.RUNNING:
        return "oom"
    if row.state == ContainerState.RESTARTING:
        return "restart_loop" if row.restart_count >= 3 else "restarting"
    if row.state == ContainerState.RUNNING:
        return "unhealthy"
    return row.state


def _detail(row: Container) -> str:
    if row.state == ContainerState.CREATION_FAILED:
        return str((row.problem or {}).get("detail", ""))
    if row.state == ContainerState.RESTARTING:
        return f"restarted {row.restart_count} times"
    return f"exit code {row.exit_code}" if row.exit_code is not None else ""


def _hosts(hosts: Any) -> list[dict[str, Any]]:
    found = []
    for host in hosts.exclude(state=HostState.PENDING).order_by("name"):
        if host.state in {HostState.OFFLINE, HostState.STALE}:
            found.append(_host(host, "host_offline", host.offline_reason, host.offline_since or host.last_seen_at, 1))
        total, used = host.disk.get("total") or 0, host.disk.get("used") or 0
        if total and used / total > FULL:
            found.append(_host(host, "disk", f"{used / total:.0%} full", None, 20))
    return found


def _host(host: Host, kind: str, detail: str, since: datetime | None, rank: int) -> dict[str, Any]:
    return {
        "kind": kind, "type": "host", "id": host.pk, "op": "", "name": host.name, "host": host, "state": host.state,
        "detail": detail, "since": since, "rank": rank,
    }  # fmt: skip


def _orders(access: Access, now: datetime) -> list[dict[str, Any]]:
    failed = orders_visible(access).filter(
        state__in=[OrderState.FAILED, OrderState.EXPIRED], finished_at__gt=now - RECENT
    )
    # One that was tried again is no news; a creation that failed stands among the containers.
    retried = Order.objects.filter(retry_of__isnull=False).values("retry_of")
    rows = failed.exclude(pk__in=retried).exclude(op="container.create").order_by("-finished_at")[:20]
    return [
        {
            "kind": "order_failed", "type": "order", "id": row.pk, "op": row.op, "name": row.target_name,
            "host": row.host, "state": row.state, "detail": str((row.problem or {}).get("detail", "")),
            "since": row.finished_at, "rank": 30,
        }
        for row in rows
    ]  # fmt: skip
