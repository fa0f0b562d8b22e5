"""Records that an order makes and a host reports, one row a host: what networks and volumes have in common.

creating ─▶ present, by the order's end or by a report, whichever comes first
    └─▶ creation_failed ─▶ creating, by another try, or dismissed
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controlplane.common import hints
from controlplane.hosts.models import Host
from controlplane.orders import outcomes
from controlplane.orders.models import Order, OrderState
from controlplane.orders.outcomes import target_of

Columns = Callable[[Mapping[str, Any]], dict[str, Any]]


class Made:
    """One kind of them.

    Args:
        model: it has host, name, state, problem, version and observed_at.
        kind: the word of hints and of ops.
        told: what a create's result says of the columns.
    """

    def __init__(self, model: Any, kind: str, told: Columns) -> None:
        self._rows = model.objects
        self._state = model.State
        self._kind = kind
        self._told = told

    def register(self) -> None:
        """What becomes of a record when the orders that make and remove it end."""
        outcomes.register(f"{self._kind}.create", ended=self.create_ended, retried=self.create_retried)
        outcomes.register(f"{self._kind}.remove", ended=self.remove_ended)

    def forget_failed(self, host: Host, name: str) -> None:
        """One of that name whose creation failed makes room for another try."""
        self._rows.filter(host=host, name=name, state=self._state.CREATION_FAILED).delete()

    def dismissed(self, row: Any) -> bool:
        """Drop a record that never came to be, without an order; whether it was one."""
        if row.state != self._state.CREATION_FAILED:
            return False
        self._rows.filter(pk=row.pk, state=self._state.CREATION_FAILED).delete()
        hints.changed(kind=self._kind, action="removed", ids=[row.pk], host_id=row.host_id)
        return True

    def gone(self, host: Host, rows: Any) -> None:
        """The host has them no more."""
        ids = list(rows.values_list("pk", flat=True))
        if ids:
            with transaction.atomic():
                self._rows.filter(pk__in=ids).delete()
                hints.changed(kind=self._kind, action="removed", ids=ids, host_id=host.pk)

    def touch(self, ident: uuid.UUID, host_id: uuid.UUID, action: str) -> None:
        """Say that it is another version by now."""
        self._rows.filter(pk=ident).update(version=F("version") + 1)
        hints.changed(kind=self._kind, action=action, ids=[ident], host_id=host_id)

    def create_ended(self, order: Order) -> None:
        """There, or never."""
        row = self._rows.filter(pk=target_of(order), host_id=order.host_id, state=self._state.CREATING)
        if order.state == OrderState.DONE:
            row.update(state=self._state.PRESENT, observed_at=timezone.now(), **self._told(order.result or {}))
        else:
            problem = order.problem or {"code": order.state, "status": 0, "detail": f"The order {order.state}"}
            row.update(state=self._state.CREATION_FAILED, problem=problem)
        self.touch(target_of(order), order.host_id, "updated")

    def create_retried(self, order: Order) -> None:
        """Another try."""
        row = self._rows.filter(pk=target_of(order), state=self._state.CREATION_FAILED)
        row.update(state=self._state.CREATING, problem=None)
        self.touch(target_of(order), order.host_id, "updated")

    def remove_ended(self, order: Order) -> None:
        """Gone, or still there."""
        done = order.state == OrderState.DONE
        if done:
            self._rows.filter(pk=target_of(order), host_id=order.host_id).delete()
        self.touch(target_of(order), order.host_id, "removed" if done else "updated")
