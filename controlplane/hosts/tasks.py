"""Doors for beat: see presence.py."""

from celery import shared_task

from controlplane.hosts import presence


@shared_task(name="hosts.sweep_presence")  # type: ignore[untyped-decorator]
def sweep_presence() -> None:
    """Mark hosts that were not heard of."""
    presence.presence_sweep()
