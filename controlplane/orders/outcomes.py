"""op -> what its end means to the app that it concerns.

An app registers its functions when it is ready; orders know no app by name. They run in the transaction that ends the
order, so a record never disagrees with the order that changed it.
"""

import uuid
from collections.abc import Callable

from controlplane.orders.models import Order, OrderSecret

Hook = Callable[[Order], None]
_ENDED: dict[str, Hook] = {}
_RETRIED: dict[str, Hook] = {}


def register(op: str, *, ended: Hook, retried: Hook | None = None) -> None:
    """Say what an op's end means; `retried` prepares the record for another try."""
    _ENDED[op] = ended
    if retried is not None:
        _RETRIED[op] = retried


def order_ended(order: Order) -> None:
    """An order has ended: done, failed, expired or cancelled."""
    OrderSecret.objects.filter(order=order).delete()
    hook = _ENDED.get(order.op)
    if hook is not None:
        hook(order)


def order_retried(order: Order) -> None:
    """An order is tried anew; `order` is the new one."""
    hook = _RETRIED.get(order.op)
    if hook is not None:
        hook(order)


def target_of(order: Order) -> uuid.UUID:
    """The id of the record that an order concerns; one that matches no row where it concerns none."""
    return order.target_id or uuid.UUID(int=0)
