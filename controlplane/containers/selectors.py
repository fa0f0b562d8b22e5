"""Which containers an actor may see."""

import uuid

from django.db.models import Q, QuerySet

from controlplane.common.access import Access
from controlplane.common.errors import Gone, NotFound
from controlplane.common.lists import in_labels
from controlplane.common.rights import CONTAINERS_VIEW
from controlplane.containers.models import Container
from controlplane.hosts.models import HostState
from controlplane.hosts.selectors import on_visible_hosts

# Large, and in no list.
DEFERRED = ("inspect", "spec", "health_log", "mounts", "last_exit")


def containers_visible(access: Access) -> QuerySet[Container]:
    """Containers that the actor may see, removed ones too."""
    rows = Container.objects.select_related("host")
    return on_visible_hosts(rows, access, CONTAINERS_VIEW)


def containers_listed(access: Access) -> QuerySet[Container]:
    """Those that are there, on hosts that are ours."""
    return containers_visible(access).filter(removed_at=None).exclude(host__state=HostState.REVOKED).defer(*DEFERRED)


def matching(words: str) -> Q:
    """What a person types to find a container: name, image, id, label, address or published port."""
    found = Q(name__icontains=words) | Q(image_reference__icontains=words) | Q(engine_id__istartswith=words)
    found |= in_labels(words) | Q(addresses__icontains=f'"{words}')
    if words.isdecimal():
        found |= Q(ports__icontains=f'"host_port": {int(words)}')
    return found


def container_get(access: Access, container_id: uuid.UUID) -> Container:
    """One container, also one that was removed: its last exit can still be read.

    Raises:
        NotFound: none, or not for this actor.
    """
    container = containers_visible(access).filter(pk=container_id).first()
    if container is None:
        raise NotFound("No such container, or you have no access to it")
    return container


def container_for(access: Access, container_id: uuid.UUID, right: str) -> Container:
    """One that the actor may do something with.

    Raises:
        NotFound: none, or not for this actor's eyes.
        Denied: the right is missing on its host.
        Gone: it was removed.
    """
    container = container_get(access, container_id)
    access.require(right, container.host_id, container.host.name)
    if container.removed_at is not None:
        raise Gone(f"{container.name} was removed from {container.host.name}", params={"name": container.name})
    return container
