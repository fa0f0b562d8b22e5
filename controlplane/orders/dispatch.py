"""Orders on their way to hosts: rung for, handed out when the host asks, expired when nobody came for them.

    queued ──handed out──▶ sent           from here on only the host decides
       └────not_after────▶ expired

An order is marked sent before it is handed out, never after: the other way round it could expire here while a host
carries it out. One that was handed out and lost on the way is handed out again, since every fetch gets all of the
host's that have not ended.
"""

import datetime
import json
import uuid
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from controlplane.common.dispatch import RUN_ORDER, host_queue, send
from controlplane.hosts.models import HostState
from controlplane.orders.grants import grants_for
from controlplane.orders.models import Order, OrderState
from controlplane.orders.results import order_sent
from controlplane.orders.signing import sealed
from controlplane.orders.states import OPEN

_AT_ONCE: Final = 50
_BYTES: Final = 600 * 1024
_FIRST_RING: Final = datetime.timedelta(seconds=2)
_LONGEST_RING: Final = datetime.timedelta(seconds=60)


def orders_to_send(host_id: uuid.UUID, after: int) -> tuple[list[dict[str, Any]], bool, int]:
    """What a host that asks is given: envelopes with their grants, whether there are more, and the last one's seq."""
    now = timezone.now()
    with transaction.atomic():
        rows = list(
            Order.objects.filter(host_id=host_id, state__in=OPEN, seq__gt=after)
            # what expired here is not the host's any more
            .exclude(state=OrderState.QUEUED, not_after__lt=now)
            .order_by("seq")[: _AT_ONCE + 1]
        )
        items: list[dict[str, Any]] = []
        taken: list[Order] = []
        size = 0
        for order in rows[:_AT_ONCE]:
            item = {
                "sealed": sealed(order),
                "grants": grants_for(order),
                # asked for while the host was away, or lost on the bus
                "cancel": order.cancel_asked_at is not None,
            }
            size += len(json.dumps(item))
            if items and size > _BYTES:
                break
            items.append(item)
            taken.append(order)
        for order in taken:
            if order.state == OrderState.QUEUED:
                order_sent(order)
    more = len(rows) > len(taken)
    return items, more, taken[-1].seq if taken else after


def ring_unacknowledged() -> int:
    """Ring again for what nobody fetched, less and less often; how many rings were sent.

    Hosts that are away are not rung for: they fetch when they come back.
    """
    now = timezone.now()
    waiting = (
        Order.objects.filter(state=OrderState.QUEUED, not_after__gt=now, host__state=HostState.ONLINE)
        .filter(Q(rung_at__isnull=True, created_at__lt=now - _FIRST_RING) | Q(rung_at__lt=now - _FIRST_RING))
        .order_by("seq")
        .only("id", "host_id", "rings", "rung_at")[:500]
    )
    rung = 0
    for order in waiting:
        pause = min(_FIRST_RING * 2 ** min(order.rings, 6), _LONGEST_RING)
        if order.rung_at is not None and now - order.rung_at < pause:
            continue
        if Order.objects.filter(pk=order.pk, state=OrderState.QUEUED, rings=order.rings).update(
            rung_at=now, rings=F("rings") + 1
        ):
            rung += send(RUN_ORDER, [str(order.pk)], queue=host_queue(order.host_id))
    return rung
