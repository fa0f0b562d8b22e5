"""Which hosts an actor may see."""

import uuid
from typing import TypeVar

from django.db.models import Case, Count, IntegerField, Model, Q, QuerySet, Value, When

from controlplane.common.access import Access
from controlplane.common.errors import NotFound
from controlplane.common.lists import in_labels
from controlplane.common.rights import HOSTS_VIEW
from controlplane.hosts.models import Host, HostState

M = TypeVar("M", bound=Model)

ATTENTION = Case(
    When(state=HostState.OFFLINE, then=Value(0)),
    When(state=HostState.STALE, then=Value(10)),
    When(state=HostState.PENDING, then=Value(20)),
    When(state=HostState.ONLINE, then=Value(50)),
    default=Value(90),
    output_field=IntegerField(),
)


def hosts_visible(access: Access) -> QuerySet[Host]:
    """Hosts that the actor may see."""
    return on_visible_hosts(Host.objects.all(), access, HOSTS_VIEW, field="pk")


def on_visible_hosts(rows: QuerySet[M], access: Access, right: str, field: str = "host_id") -> QuerySet[M]:
    """Rows of hosts on which the actor has the right."""
    hosts = access.hosts(right)
    return rows if hosts is None else rows.filter(**{f"{field}__in": hosts})


def with_counts(hosts: QuerySet[Host]) -> QuerySet[Host]:
    """Hosts with how many containers they have, and how many of those run."""
    there = Q(containers__removed_at=None)
    return hosts.annotate(
        containers_total=Count("containers", filter=there),
        containers_running=Count("containers", filter=there & Q(containers__state="running")),
    )


def matching(words: str) -> Q:
    """What a person types to find a host: name, label or address."""
    return Q(name__icontains=words) | Q(address__startswith=words) | in_labels(words)


def host_get(access: Access, host_id: uuid.UUID) -> Host:
    """One host.

    Raises:
        NotFound: none, or not for this actor.
    """
    host = hosts_visible(access).filter(pk=host_id).first()
    if host is None:
        raise NotFound("No such host, or you have no access to it")
    return host


def host_for(access: Access, reference: str, right: str) -> Host:
    """The host that a request names by id or name, on which the actor has `right`.

    Raises:
        NotFound: none, or not for this actor.
        Denied: the right is missing there.
    """
    try:
        key = Q(pk=uuid.UUID(reference))
    except ValueError:
        key = Q(name=reference)
    host = Host.objects.filter(key).exclude(state=HostState.REVOKED).first()
    if host is None or not (access.on(HOSTS_VIEW, host.pk) or access.on(right, host.pk)):
        raise NotFound(f"No such host: {reference}", code="no_such_host", params={"host": reference})
    access.require(right, host.pk, host.name)
    return host
