"""What hosts report about their orders, as guarded moves. A report that comes twice, or late, changes nothing.

queued ─▶ sent ─▶ running ─▶ done | failed
   │        └───────┴─────▶ expired | cancelled     (said by the host: before it began)
   └─▶ expired | cancelled                           (said here: while nobody had it)
"""

import datetime
import uuid
from collections.abc import Sequence
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from controlplane.common import hints
from controlplane.orders import outcomes
from controlplane.orders.models import Order, OrderLine, OrderState
from controlplane.orders.states import FINAL, OPEN

_LONGEST_LINE: Final = 4000
_MOST_LINES: Final = 20_000
"""Lines kept of one order; later ones are dropped, its end is not."""


class NotThisHosts(LookupError):
    """A report about an order that the reporting host never had."""


def order_sent(order: Order) -> bool:
    """The order is being handed to its host."""
    return _move(order, [OrderState.QUEUED], OrderState.SENT, sent_at=timezone.now())


def order_running(host_id: uuid.UUID, order_id: str, at: str) -> None:
    """The host wrote its intent down.

    Raises:
        NotThisHosts: see there.
    """
    order = _of(host_id, order_id)
    _move(order, [OrderState.QUEUED, OrderState.SENT], OrderState.RUNNING, started_at=_time(at))


def order_lines_add(
    host_id: uuid.UUID, order_id: str, lines: Sequence[dict[str, Any]], progress: dict[str, Any]
) -> None:
    """Lines of an order's output; those that are there already are skipped.

    Raises:
        NotThisHosts: see there.
    """
    order = _of(host_id, order_id)
    rows = [
        OrderLine(
            order=order,
            n=line["n"],
            at=_time(line.get("at")),
            step=str(line.get("step") or "")[:128],
            text=str(line.get("text") or "")[:_LONGEST_LINE].replace("\0", "�"),
            data=line.get("data") if isinstance(line.get("data"), dict) else None,
        )
        for line in lines
        if isinstance(line, dict) and isinstance(line.get("n"), int) and 0 < line["n"] < 1 << 31
    ]
    with transaction.atomic():
        if OrderLine.objects.filter(order=order).count() < _MOST_LINES:
            OrderLine.objects.bulk_create(rows, ignore_conflicts=True)
        Order.objects.filter(pk=order.pk, state__in=OPEN).update(progress=progress, version=F("version") + 1)
        _hint(order, order.state, progress)


def order_ended(
    host_id: uuid.UUID,
    order_id: str,
    *,
    state: str,
    result: dict[str, Any],
    problem: dict[str, Any] | None,
    finished_at: str,
) -> None:
    """How it ended, by the host's word, which is the last.

    Raises:
        NotThisHosts: see there.
        ValueError: no such end.
    """
    if state not in FINAL:
        raise ValueError(f"no end state: {state[:20]}")
    order = _of(host_id, order_id)
    end(order, OPEN, OrderState(state), result=result, problem=problem, finished_at=_time(finished_at))


def expire_queued() -> int:
    """End the orders that no host has taken in time; how many."""
    now = timezone.now()
    late = Order.objects.filter(state=OrderState.QUEUED, not_after__lt=now).order_by("seq")[:500]
    problem = {"code": "expired", "status": 0, "detail": "The host did not come for it in time"}
    return sum(
        end(order, [OrderState.QUEUED], OrderState.EXPIRED, result=None, problem=problem, finished_at=now)
        for order in late
    )


def end(
    order: Order,
    states: Sequence[OrderState],
    to: OrderState,
    *,
    result: dict[str, Any] | None,
    problem: dict[str, Any] | None,
    finished_at: datetime.datetime,
) -> bool:
    """Move to an end state, and let the app that the order concerns know; whether this call did it."""
    with transaction.atomic():
        if not _move(order, states, to, result=result, problem=problem, finished_at=finished_at):
            return False
        outcomes.order_ended(order)
        return True


def _of(host_id: uuid.UUID, order_id: str) -> Order:
    try:
        key = uuid.UUID(order_id)
    except ValueError:
        raise NotThisHosts(order_id) from None
    order = Order.objects.filter(pk=key, host_id=host_id).first()
    if order is None:
        raise NotThisHosts(order_id)
    return order


def _move(order: Order, states: Sequence[OrderState], to: OrderState, **changes: Any) -> bool:
    with transaction.atomic():
        moved = Order.objects.filter(pk=order.pk, state__in=states).update(
            state=to, version=F("version") + 1, **changes
        )
        if moved:
            order.refresh_from_db()
            _hint(order, to, order.progress)
        return bool(moved)


def _hint(order: Order, state: str, progress: dict[str, Any] | None) -> None:
    hints.order_changed(
        order_id=order.pk,
        op=order.op,
        state=state,
        host_id=order.host_id,
        target={
            "type": order.target_type,
            "id": str(order.target_id) if order.target_id else None,
            "name": order.target_name,
        },
        progress=progress,
    )


def _time(text: Any) -> datetime.datetime:
    """A host's time; now, where it is none."""
    found = parse_datetime(text) if isinstance(text, str) and len(text) < 64 else None
    if found is None:
        return timezone.now()
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
