"""Blobs on the wire: HEAD, GET with Range, DELETE; uploads in one go, in chunks, by mount.

OCI distribution specification 1.1, "Pulling blobs" and "Pushing blobs".
"""

import re
import uuid
from collections.abc import AsyncIterator

from channels.db import database_sync_to_async

from controlplane.registry import selectors, services
from controlplane.registry.auth import Guard
from controlplane.registry.errors import RegistryError
from controlplane.registry.http import Request, Response
from controlplane.registry.models import Upload
from controlplane.registry.names import is_digest, is_name
from controlplane.registry.storage import BlobStorage

LARGEST_BLOB = 64 << 30
NOTHING: tuple[bytes, ...] = ()


class Blobs:
    """Handlers of `/v2/<name>/blobs/…`."""

    def __init__(self, storage: BlobStorage, guard: Guard) -> None:
        self._storage = storage
        self._guard = guard

    async def read(self, request: Request, name: str, digest: str) -> Response:
        """GET and HEAD."""
        self._guard.check(request, "pull", name)
        blob = await database_sync_to_async(selectors.blob)(name, digest)
        headers = {
            "Content-Type": "application/octet-stream",
            "Docker-Content-Digest": digest,
            "ETag": f'"{digest}"',
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, max-age=31536000, immutable",
        }
        if request.method == "HEAD":
            await database_sync_to_async(services.blob_touch)(blob=blob)
            return Response(200, headers | {"Content-Length": str(blob.size)})
        start, end = _range(request.headers.get("range", ""), blob.size)
        headers["Content-Length"] = str(end - start)
        status = 200
        if (start, end) != (0, blob.size):
            status = 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
        return Response(status, headers, stream=self._storage.read(str(blob.pk), start, end))

    async def delete(self, request: Request, name: str, digest: str) -> Response:
        """DELETE: the repository no longer holds it."""
        self._guard.check(request, "delete", name)
        await database_sync_to_async(services.blob_unlink)(name=name, digest=digest)
        return Response(202)

    async def begin(self, request: Request, name: str) -> Response:
        """POST: mount a blob, take it whole, or begin an upload."""
        grant = self._guard.check(request, "push", name)
        if not is_name(name):
            raise RegistryError("NAME_INVALID", "invalid repository name", detail=name)
        mount, source = request.parameter("mount"), request.parameter("from")
        may_mount = is_digest(mount) and is_name(source) and grant.allows("pull", source)
        if may_mount and await database_sync_to_async(services.blob_mount)(name=name, digest=mount, source=source):
            return _created(name, mount)
        upload = await database_sync_to_async(services.upload_begin)(name=name)
        if digest := request.parameter("digest"):
            return await self._finish(request, upload, name, digest)
        return _progress(202, name, upload)

    async def status(self, request: Request, name: str, upload_id: str) -> Response:
        """GET: how far an upload is."""
        self._guard.check(request, "push", name)
        return _progress(204, name, await database_sync_to_async(selectors.upload)(name, upload_id))

    async def grow(self, request: Request, name: str, upload_id: str) -> Response:
        """PATCH: the next chunk; of two at once one is kept."""
        self._guard.check(request, "push", name)
        upload = await database_sync_to_async(selectors.upload)(name, upload_id)
        await self._append(request, upload)
        return _progress(202, name, upload)

    async def finish(self, request: Request, name: str, upload_id: str) -> Response:
        """PUT: the last chunk, if there is one, and the digest of the whole."""
        self._guard.check(request, "push", name)
        upload = await database_sync_to_async(selectors.upload)(name, upload_id)
        return await self._finish(request, upload, name, request.parameter("digest"))

    async def cancel(self, request: Request, name: str, upload_id: str) -> Response:
        """DELETE: forget an upload."""
        self._guard.check(request, "push", name)
        await self._drop(await database_sync_to_async(selectors.upload)(name, upload_id))
        return Response(204)

    async def _append(self, request: Request, upload: Upload) -> None:
        expected = _chunk_length(request, upload.size)
        part = await self._storage.write_part(str(upload.pk), request.chunks(), LARGEST_BLOB - upload.size)
        kept = False
        try:
            if expected is not None and part["size"] != expected:
                raise RegistryError("SIZE_INVALID", f"the chunk has {part['size']} bytes, its headers say {expected}")
            kept = not part["size"] or await database_sync_to_async(services.upload_grow)(upload=upload, part=part)
            if not kept:
                raise RegistryError("RANGE_INVALID", "another chunk of this upload came first")
        finally:
            if not kept or not part["size"]:
                await self._storage.remove_parts([part["path"]])

    async def _finish(self, request: Request, upload: Upload, name: str, digest: str) -> Response:
        if not is_digest(digest):
            raise RegistryError("DIGEST_INVALID", "provided digest is not a sha256 digest", detail=digest)
        if request.headers.get("content-length", "") != "0":
            await self._append(request, upload)
        blob_id = uuid.uuid4()
        if not upload.parts:
            upload.parts = [await self._storage.write_part(str(upload.pk), _nothing(), 0)]
        paths = [part["path"] for part in upload.parts]
        found = await self._storage.join(upload.parts, str(blob_id))
        if found != digest:
            await self._storage.remove_blob(str(blob_id))
            await self._drop(upload)
            raise RegistryError("DIGEST_INVALID", "provided digest did not match uploaded content", detail=found)
        taken = await database_sync_to_async(services.blob_take)(
            upload=upload, blob_id=blob_id, digest=digest, size=upload.size
        )
        if not taken:
            await self._storage.remove_blob(str(blob_id))
        await self._storage.remove_parts(paths)
        return _created(name, digest)

    async def _drop(self, upload: Upload) -> None:
        paths = [part["path"] for part in upload.parts]
        await database_sync_to_async(services.upload_drop)(upload=upload)
        await self._storage.remove_parts(paths)


async def _nothing() -> AsyncIterator[bytes]:
    for chunk in NOTHING:
        yield chunk


def _chunk_length(request: Request, size: int) -> int | None:
    """How long the chunk must be, by its headers; raises RANGE_INVALID for one that does not begin at the end."""
    given = request.headers.get("content-range", "")
    length = request.headers.get("content-length")
    if given:
        found = re.fullmatch(r"(?:bytes )?(\d+)-(\d+)(?:/(?:\d+|\*))?", given)
        if not found or int(found.group(1)) != size or int(found.group(2)) < size:
            headers = {"Range": f"0-{max(size - 1, 0)}"}
            raise RegistryError("RANGE_INVALID", f"the upload has {size} bytes, not {given}", headers=headers)
        return int(found.group(2)) - size + 1
    return int(length) if length and length.isdecimal() else None


def _range(given: str, size: int) -> tuple[int, int]:
    """The bytes asked for; several ranges are answered with the whole, which RFC 9110 allows."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", given)
    if not found or found.group(0) == "bytes=-":
        return 0, size
    first, last = found.groups()
    start, end = (int(first), min(int(last or size - 1) + 1, size)) if first else (max(size - int(last), 0), size)
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        raise RegistryError("RANGE_INVALID", "the blob has no such bytes", headers=headers)
    return start, end


def _created(name: str, digest: str) -> Response:
    return Response(201, {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})


def _progress(status: int, name: str, upload: Upload) -> Response:
    headers = {
        "Location": f"/v2/{name}/blobs/uploads/{upload.pk}",
        "Range": f"0-{max(upload.size - 1, 0)}",
        "Docker-Upload-UUID": str(upload.pk),
    }
    return Response(status, headers)
