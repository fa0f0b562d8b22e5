"""The door for beat and for `repositories/gc/`: see gc.py."""

import asyncio
from pathlib import Path

import structlog
from celery import shared_task
from django.conf import settings

from controlplane.registry.gc import collect
from controlplane.registry.storage import BlobStorage

log = structlog.get_logger(__name__)


@shared_task(name="registry.collect")  # type: ignore[untyped-decorator]
def collect_unreferenced() -> None:
    """Remove blobs that no manifest names, uploads that nobody ended."""
    storage = BlobStorage.on_disk(Path(settings.LONGSHORE_DATA) / "registry")
    blobs, size = asyncio.run(collect(storage))
    log.info("registry collected", blobs=blobs, bytes=size)
