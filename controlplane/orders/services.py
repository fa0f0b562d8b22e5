"""Order something of a host, take it back, or ask for it again."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agent.protocol.orders import BadOrder, check_args, default_lifetime
from controlplane.common import bus, hints
from controlplane.common.access import Actor
from controlplane.common.dispatch import ring_on_commit
from controlplane.common.errors import Conflict, Invalid, invalid_field
from controlplane.hosts.models import Host, HostState
from controlplane.orders import outcomes, results, secrets
from controlplane.orders.models import Order, OrderState
from controlplane.orders.states import CANCELLABLE, OPEN, RETRYABLE

LONGEST_LIFE: Final = timedelta(days=7)
LARGEST_ARGS: Final = 256 * 1024
_CREDENTIAL_OPS: Final = frozenset({"image.pull", "image.push"})


def order_create(
    *,
    host: Host,
    op: str,
    args: Mapping[str, Any],
    actor: Actor,
    target: Any = None,
    target_type: str = "",
    target_name: str = "",
    not_after: datetime | None = None,
    cause: str = "",
    batch: uuid.UUID | None = None,
    retry_of: uuid.UUID | None = None,
) -> Order:
    """Write an order down in the caller's transaction; its host is told when that commits.

    Args:
        args: as agent/protocol/orders.py lists them for the op; no secret may be among them.
        target: the record that it concerns; for one that has no record yet give type and name.
        not_after: when it is too late to begin; the op's usual time otherwise.

    Raises:
        Invalid: args or not_after.
        Conflict: the host is not, or no longer, one that takes orders.
    """
    try:
        check_args(op, args)
    except BadOrder as error:
        raise Invalid(str(error), code="bad_order") from None
    if len(json.dumps(args)) > LARGEST_ARGS:
        raise Invalid("The request is too large for an order", code="too_large")
    now = timezone.now()
    ends = not_after or now + timedelta(seconds=default_lifetime(op))
    if not now < ends <= now + LONGEST_LIFE:
        raise invalid_field("/not_after", "bad_not_after", "not_after must lie within the next 7 days")
    with transaction.atomic():
        # The host's row is held from here to the commit: one host's orders are numbered in the order they commit.
        numbered = (
            Host.objects.filter(pk=host.pk)
            .exclude(state__in=[HostState.REVOKED, HostState.PENDING])
            .update(seq=F("seq") + 1)
        )
        if not numbered:
            raise Conflict(f"{host.name} takes no orders: it is {host.state}", code="host_not_enrolled")
        order = Order.objects.create(
            host=host,
            seq=Host.objects.values_list("seq", flat=True).get(pk=host.pk),
            op=op,
            args=dict(args),
            target_type=target_type or type(target).__name__.lower(),
            target_id=target.pk if target is not None else None,
            target_name=(target_name or str(target or ""))[:255],
            actor_id=actor.id,
            actor_name=actor.name,
            actor_kind=actor.kind,
            cause=cause,
            batch=batch,
            retry_of=retry_of,
            not_after=ends,
        )
        # told before the host is rung: it may have begun before the next line runs
        _hint(order)
        ring_on_commit(host.pk, order.pk)
    return order


def order_cancel(*, order: Order) -> Order:
    """Take an order back: here while nobody has it, by asking its host once it was sent.

    Raises:
        Conflict: it runs, or has ended.
    """
    if order.state not in CANCELLABLE:
        raise Conflict(f"The order is {order.state}: too late to cancel", code="order_not_cancellable")
    problem = {"code": "cancelled", "status": 0, "detail": "Cancelled before it was sent"}
    now = timezone.now()
    if not results.end(order, [OrderState.QUEUED], OrderState.CANCELLED, result=None, problem=problem, finished_at=now):
        Order.objects.filter(pk=order.pk, state=OrderState.SENT).update(cancel_asked_at=now, version=F("version") + 1)
        bus.publish_on_commit(bus.ORDER_CANCEL, host_id=str(order.host_id), order_id=str(order.pk))
    order.refresh_from_db()
    return order


def order_retry(*, order: Order, actor: Actor, credential: Mapping[str, str] | None = None) -> Order:
    """The same again, as a new order.

    Args:
        credential: username and password of a registry, where the order came with one.

    Raises:
        Conflict: it has not ended, or ended well.
        Invalid: it came with a credential, which ended with it, and none is given now; or it takes none.
    """
    if order.state not in RETRYABLE:
        raise Conflict(f"The order is {order.state}: there is nothing to retry", code="order_not_retryable")
    if order.with_credential and not credential:
        words = "This order came with a registry's credential, which was not kept: give it again"
        raise invalid_field("/credential", "credential_needed", words)
    if credential and order.op not in _CREDENTIAL_OPS:
        raise invalid_field("/credential", "credential_unused", f"{order.op} takes no credential")
    with transaction.atomic():
        again = order_create(
            host=order.host,
            op=order.op,
            args=order.args,
            actor=actor,
            target_type=order.target_type,
            target_name=order.target_name,
            cause=order.cause,
            retry_of=order.pk,
        )
        if credential:
            secrets.keep(again, credential)
        Order.objects.filter(pk=again.pk).update(target_id=order.target_id)
        again.target_id = order.target_id
        outcomes.order_retried(again)
    return again


def host_orders_end(*, host: Host) -> int:
    """End every open order of a host that was revoked; how many."""
    problem = {"code": "host_revoked", "status": 0, "detail": f"{host.name} was revoked"}
    now = timezone.now()
    return sum(
        results.end(order, OPEN, OrderState.FAILED, result=None, problem=problem, finished_at=now)
        for order in Order.objects.filter(host=host, state__in=OPEN)
    )


def _hint(order: Order) -> None:
    target = {
        "type": order.target_type,
        "id": str(order.target_id) if order.target_id else None,
        "name": order.target_name,
    }
    hints.order_changed(order_id=order.pk, op=order.op, state=order.state, host_id=order.host_id, target=target)
