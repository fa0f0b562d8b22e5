"""Removal of what nothing names any more: blobs without a manifest, uploads that nobody ended, files without a row.

Safe beside pushes. A blob goes only if no manifest names its digest and nobody was told of it for `GRACE`; the row is
deleted by one guarded statement, and since a file is named by its row's id, a push of the same bytes at that moment
makes another file. Every push, mount and HEAD raises `used_at`, and so does the manifest's own transaction.
"""

import datetime
import time

from channels.db import database_sync_to_async
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from controlplane.common.lists import is_uuid
from controlplane.registry.models import Blob, Reference, Upload
from controlplane.registry.storage import BlobStorage

GRACE = datetime.timedelta(hours=24)


async def collect(storage: BlobStorage, grace: datetime.timedelta = GRACE) -> tuple[int, int]:
    """Remove what is unreferenced for longer than `grace`.

    Returns:
        Number of blobs and number of bytes that went.
    """
    await _stale_uploads(storage, grace)
    removed = await database_sync_to_async(_unreferenced)(timezone.now() - grace)
    for blob_id, _ in removed:
        await storage.remove_blob(blob_id)
    await _strays(storage, grace)
    return len(removed), sum(size for _, size in removed)


def _unreferenced(before: datetime.datetime) -> list[tuple[str, int]]:
    """Rows of unreferenced blobs, taken out; their files are still there."""
    named = Reference.objects.filter(digest=OuterRef("digest"))
    candidates = list(Blob.objects.filter(~Exists(named), used_at__lt=before).values_list("pk", "size"))
    removed = []
    for pk, size in candidates:
        with transaction.atomic():
            # Renamed by a guarded statement first: who marks it as used at this moment either wins or finds nothing.
            guarded = Blob.objects.filter(~Exists(named), pk=pk, used_at__lt=before)
            if guarded.update(digest=f"gone:{pk}"):
                Blob.objects.filter(pk=pk).delete()
                removed.append((str(pk), size))
    return removed


async def _stale_uploads(storage: BlobStorage, grace: datetime.timedelta) -> None:
    async for upload in Upload.objects.filter(touched_at__lt=timezone.now() - grace):
        gone, _ = await Upload.objects.filter(pk=upload.pk, version=upload.version).adelete()
        if gone:
            await storage.remove_parts([part["path"] for part in upload.parts])


async def _strays(storage: BlobStorage, grace: datetime.timedelta) -> None:
    """Files that a crash left between the store and the records."""
    before = time.time() - grace.total_seconds()
    async for path, changed in storage.listing("blobs"):
        blob_id = path.rpartition("/")[2].partition("#")[0]
        if not is_uuid(blob_id):
            continue
        if changed < before and ("#" in path or not await Blob.objects.filter(pk=blob_id).aexists()):
            await storage.remove_parts([path])
    async for path, changed in storage.listing("uploads"):
        owner = path.split("/")[1]
        if not is_uuid(owner):
            continue
        if changed < before and ("#" in path or not await Upload.objects.filter(pk=owner).aexists()):
            await storage.remove_parts([path])
