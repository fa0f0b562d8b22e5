"""Doors for beat: see retention.py."""

from celery import shared_task

from controlplane.overview import retention


@shared_task(name="overview.retention")  # type: ignore[untyped-decorator]
def drop_old() -> None:
    """Drop what is past its time."""
    retention.run()
