"""What the end of an order means to a container's record. Registered when the app is ready."""

from typing import Any

from django.db.models import F
from django.utils import timezone

from controlplane.common import hints
from controlplane.containers.models import Container, ContainerState
from controlplane.hosts.models import Use
from controlplane.orders import outcomes
from controlplane.orders.models import Order, OrderState
from controlplane.orders.outcomes import target_of


def create_ended(order: Order) -> None:
    """Created, or never: the row says which, and why."""
    row = Container.objects.filter(pk=target_of(order), host_id=order.host_id)
    result = order.result or {}
    engine_id = str(result.get("engine_id") or "")
    if order.state == OrderState.DONE and engine_id:
        taken = Container.objects.filter(host_id=order.host_id, engine_id=engine_id).exclude(pk=target_of(order))
        if not taken.exists():
            row.filter(engine_id="").update(engine_id=engine_id)
        row.filter(state=ContainerState.CREATING).update(
            state=ContainerState.CREATED, name=str(result.get("name") or order.target_name)[:255], attention=58
        )
        row.update(problem=None)
    else:
        row.filter(engine_id="", state=ContainerState.CREATING).update(
            state=ContainerState.CREATION_FAILED, attention=4
        )
        row.update(problem=order.problem or {"code": order.state, "status": 0, "detail": f"The order {order.state}"})
    _told(order, "updated")


def create_retried(order: Order) -> None:
    """Another try: the row is "creating" again."""
    Container.objects.filter(pk=target_of(order), engine_id="").update(
        state=ContainerState.CREATING, problem=None, attention=54, removed_at=None
    )
    _told(order, "updated")


def remove_ended(order: Order) -> None:
    """Gone from its host; the row stays, for its last exit."""
    row = Container.objects.filter(pk=target_of(order), host_id=order.host_id, removed_at=None)
    if order.state == OrderState.DONE and row.update(
        removed_at=timezone.now(), state=ContainerState.REMOVED, attention=99
    ):
        Use.objects.filter(container_id=target_of(order)).delete()
        _told(order, "removed")
        return
    row.filter(desired_state=ContainerState.REMOVED).update(desired_state="")
    _told(order, "updated")


def rename_ended(order: Order) -> None:
    """The new name, by the host's word."""
    if order.state == OrderState.DONE:
        Container.objects.filter(pk=target_of(order), host_id=order.host_id).update(name=str(order.args["name"])[:255])
    _told(order, "updated")


def update_ended(order: Order) -> None:
    """What the user set from now on."""
    row = Container.objects.filter(pk=target_of(order), host_id=order.host_id).first()
    if order.state == OrderState.DONE and row is not None and row.spec is not None:
        spec: dict[str, Any] = dict(row.spec)
        spec["HostConfig"] = {**(spec.get("HostConfig") or {}), **order.args["update"]}
        Container.objects.filter(pk=row.pk).update(spec=spec)
    _told(order, "updated")


def verb_ended(order: Order) -> None:
    """The state itself comes by reports; the pending verb goes from the row."""
    _told(order, "updated")


def _told(order: Order, action: str) -> None:
    Container.objects.filter(pk=target_of(order)).update(version=F("version") + 1)
    hints.changed(kind="container", action=action, ids=[target_of(order)], host_id=order.host_id, order_id=order.pk)


def register() -> None:
    """Every op of containers."""
    outcomes.register("container.create", ended=create_ended, retried=create_retried)
    outcomes.register("container.remove", ended=remove_ended)
    outcomes.register("container.rename", ended=rename_ended)
    outcomes.register("container.update", ended=update_ended)
    for verb in ("start", "stop", "restart", "kill", "pause", "unpause", "commit"):
        outcomes.register(f"container.{verb}", ended=verb_ended)
