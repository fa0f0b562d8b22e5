"""Doors for beat: see dispatch.py and results.py."""

from celery import shared_task

from controlplane.orders import dispatch, results


@shared_task(name="orders.ring_unacknowledged")  # type: ignore[untyped-decorator]
def ring_unacknowledged() -> None:
    """Ring the doorbell again for orders that no host has fetched."""
    dispatch.ring_unacknowledged()


@shared_task(name="orders.expire")  # type: ignore[untyped-decorator]
def expire() -> None:
    """End the orders that nobody fetched in time."""
    results.expire_queued()
