"""Start, stop and the other verbs: the wish goes into the record, the deed into an order."""

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controlplane.common import hints
from controlplane.common.access import Actor
from controlplane.common.errors import Conflict, invalid_field
from controlplane.common.references import is_taggable
from controlplane.containers.models import Container, ContainerState
from controlplane.containers.services.create import NAME
from controlplane.containers.spec import LIMITS
from controlplane.orders.models import Order
from controlplane.orders.services import order_create

# verb -> the state that is then wished for; a kill sends a signal and wishes nothing
WISHES: Final = {
    "start": ContainerState.RUNNING,
    "stop": ContainerState.EXITED,
    "restart": ContainerState.RUNNING,
    "kill": "",
    "pause": ContainerState.PAUSED,
    "unpause": ContainerState.RUNNING,
    "remove": ContainerState.REMOVED,
}


def container_order(
    *,
    container: Container,
    verb: str,
    actor: Actor,
    not_after: datetime | None = None,
    batch: Any = None,
    **options: Any,
) -> Order:
    """Order one verb.

    Args:
        options: the op's own args: timeout, signal, force, volumes.

    Raises:
        Conflict: the container does not exist yet, or never came to be.
    """
    _must_exist(container, verb)
    args = {**identity(container), **{name: value for name, value in options.items() if value is not None}}
    wish = WISHES[verb]
    with transaction.atomic():
        order = order_create(
            host=container.host, op=f"container.{verb}", args=args, target=container, actor=actor,
            not_after=not_after, batch=batch,
        )  # fmt: skip
        changes: dict[str, Any] = {"version": F("version") + 1}
        if wish:
            changes["desired_state"] = wish
        Container.objects.filter(pk=container.pk).update(**changes)
        hints.changed(kind="container", action=verb, ids=[container.pk], host_id=container.host_id, order_id=order.pk)
    return order


def container_dismiss(*, container: Container) -> None:
    """Take away the record of a container that never came to be.

    Raises:
        Conflict: it did.
    """
    with transaction.atomic():
        written = Container.objects.filter(
            pk=container.pk, state=ContainerState.CREATION_FAILED, engine_id="", removed_at=None
        ).update(removed_at=timezone.now(), state=ContainerState.REMOVED, attention=99, version=F("version") + 1)
        if not written:
            raise Conflict("The container came to be meanwhile: load it again", code="changed_meanwhile")
        hints.changed(kind="container", action="removed", ids=[container.pk], host_id=container.host_id)


def container_change(
    *,
    container: Container,
    actor: Actor,
    name: str | None = None,
    limits: dict[str, Any] | None = None,
    restart_policy: dict[str, Any] | None = None,
    not_after: datetime | None = None,
    batch: Any = None,
) -> list[Order]:
    """What can change in place: one order to rename, one to update.

    Raises:
        Invalid: the name, or a limit that cannot change in place.
        Conflict: there is no container yet.
    """
    _must_exist(container, "change")
    common = {"host": container.host, "target": container, "actor": actor, "not_after": not_after, "batch": batch}
    orders = []
    with transaction.atomic():
        if name is not None and name != container.name:
            if not NAME.fullmatch(name):
                raise invalid_field("/name", "bad_name", "A name has only letters, digits, _ . and -")
            orders.append(order_create(op="container.rename", args={**identity(container), "name": name}, **common))
        update = {key: value for key, value in (limits or {}).items() if value is not None}
        for key, value in update.items():
            if key not in LIMITS or not isinstance(value, int | str) or isinstance(value, bool):
                detail = f"Can be changed in place: {', '.join(LIMITS)}"
                raise invalid_field(f"/limits/{key}", "unknown_field", detail)
        if restart_policy:
            update["RestartPolicy"] = restart_policy
        if update:
            orders.append(order_create(op="container.update", args={**identity(container), "update": update}, **common))
        if orders:
            Container.objects.filter(pk=container.pk).update(version=F("version") + 1)
            hints.changed(kind="container", action="updated", ids=[container.pk], host_id=container.host_id)
    return orders


def container_commit(*, container: Container, actor: Actor, not_after: datetime | None = None, **args: Any) -> Order:
    """Make an image of it.

    Raises:
        Invalid: the reference.
        Conflict: there is no container yet.
    """
    _must_exist(container, "commit")
    if not is_taggable(args["reference"]):
        raise invalid_field("/reference", "bad_reference", f"{args['reference']!r} is not a name for an image")
    return order_create(
        host=container.host, op="container.commit", args={**identity(container), **args}, target=container,
        actor=actor, not_after=not_after,
    )  # fmt: skip


def identity(container: Container) -> dict[str, str]:
    """How an order names a container; one that we did not make is known by its engine's id alone."""
    named = {"engine_id": container.engine_id} if container.engine_id else {}
    return {"id": str(container.pk), **named} if container.spec is not None or not named else named


def _must_exist(container: Container, verb: str) -> None:
    if container.state == ContainerState.CREATION_FAILED and not container.engine_id:
        raise Conflict(f"{container.name} was never created: nothing to {verb}", code="not_created")
