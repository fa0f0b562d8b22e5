"""The container or host that a socket is about, and whether the viewer may."""

import uuid
from dataclasses import dataclass

from channels.db import database_sync_to_async

from controlplane.common import rights
from controlplane.common.access import Access
from controlplane.common.errors import Conflict, NotFound
from controlplane.containers.models import Container, ContainerState
from controlplane.hosts.models import Host
from controlplane.live.socket import Socket


@dataclass(frozen=True)
class Target:
    """A container as its record has it now."""

    id: uuid.UUID
    host_id: uuid.UUID
    host_name: str
    engine_id: str
    state: str
    exit_code: int | None


async def container(socket: Socket, text: str, right: str) -> Target:
    """The container of an id in a path; the socket's rights on it are watched from now on.

    Raises:
        NotFound: none, or not for this viewer. Denied: visible, but the right is missing. Conflict: not yet made.
    """
    found = await again(_uuid(text))

    def allowed(access: Access) -> None:
        access.require(right, found.host_id, found.host_name, view=rights.CONTAINERS_VIEW)

    allowed(socket.access)
    socket.still_allowed = allowed
    if not found.engine_id:
        raise Conflict("The container has not been created yet", code="not_created")
    return found


async def again(container_id: uuid.UUID) -> Target:
    """The record as it is now.

    Raises:
        NotFound: it is gone.
    """
    found: Target = await database_sync_to_async(_read)(container_id)
    return found


async def host(socket: Socket, text: str) -> Host:
    """The host of an id in a path.

    Raises:
        NotFound: none, or not for this viewer.
    """
    found = await Host.objects.filter(pk=_uuid(text)).afirst()
    if found is None:
        raise NotFound("Not found, or you have no access")
    host_id, name = found.pk, found.name

    def allowed(access: Access) -> None:
        access.require(rights.HOSTS_VIEW, host_id, name, view=rights.HOSTS_VIEW)

    allowed(socket.access)
    socket.still_allowed = allowed
    return found


def _read(container_id: uuid.UUID) -> Target:
    row = Container.objects.select_related("host").filter(pk=container_id).first()
    if row is None:
        raise NotFound("Not found, or you have no access")
    return Target(row.pk, row.host_id, row.host.name, row.engine_id, row.state, row.exit_code)


def running(target: Target) -> bool:
    """Whether the record says that it runs."""
    return target.state in {ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING}


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound("Not found, or you have no access") from None
