"""What is dropped by age, since whatever is kept for ever fills the disk in the end. The trail is never shortened."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.contrib.sessions.models import Session
from django.utils import timezone

from controlplane.accounts import throttle
from controlplane.common import idempotency
from controlplane.containers.models import Container
from controlplane.hosts.models import Event
from controlplane.images import contexts
from controlplane.orders.models import Order
from controlplane.orders.states import FINAL
from controlplane.telemetry.services import samples_drop_old

EVENTS: Final = timedelta(days=30)
ORDERS: Final = timedelta(days=90)
REMOVED: Final = timedelta(days=30)


def events_drop_old() -> None:
    """Events of the last 30 days stay."""
    Event.objects.filter(at__lt=timezone.now() - EVENTS).delete()


def orders_drop_old() -> None:
    """Ended orders, with their lines, stay for 90 days."""
    Order.objects.filter(state__in=FINAL, finished_at__lt=timezone.now() - ORDERS).delete()


def containers_drop_old() -> None:
    """Removed containers can be looked at for 30 days."""
    Container.objects.filter(removed_at__lt=timezone.now() - REMOVED).delete()


def sessions_drop_old() -> None:
    """Sessions that are over."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


STEPS: Final[tuple[Callable[[], object], ...]] = (
    idempotency.forget_old,
    throttle.forget_old,
    samples_drop_old,
    events_drop_old,
    orders_drop_old,
    containers_drop_old,
    sessions_drop_old,
    contexts.contexts_expire,
)


def run() -> None:
    """All of it; beat calls this."""
    for step in STEPS:
        step()
