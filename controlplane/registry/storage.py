"""Bytes of blobs, by obstore: streamed in and out, never a whole blob in memory.

On disk, below the store's root:

    blobs/<aa>/<id>             a finished blob, named by its row's id
    uploads/<upload>/<random>   one part of an upload in progress

A part becomes visible under its name when it is whole: obstore writes beside it and renames.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Any

import obstore
from obstore.store import LocalStore

from controlplane.registry.errors import RegistryError

CHUNK = 1 << 20


class BlobStorage:
    """One store; `root` is its folder if it lies on this machine's disk."""

    def __init__(self, store: Any, root: Path | None = None) -> None:
        self._store = store
        self._root = root

    @classmethod
    def on_disk(cls, root: Path) -> "BlobStorage":
        """A store in a folder, made if it is not there."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(root), root)

    @staticmethod
    def blob_path(blob_id: str) -> str:
        """Where a finished blob lies."""
        return f"blobs/{blob_id[-2:]}/{blob_id}"

    async def write_part(self, upload_id: str, chunks: AsyncIterable[bytes], limit: int) -> dict[str, Any]:
        """Stream one part to the store and hash it; what fails half-way leaves nothing.

        Raises:
            RegistryError: more bytes than `limit`, or the disk is full.
        """
        path = f"uploads/{upload_id}/{secrets.token_hex(8)}"
        digest, size = hashlib.sha256(), 0
        try:
            async with obstore.open_writer_async(self._store, path, buffer_size=8 * CHUNK) as writer:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > limit:
                        raise RegistryError("SIZE_TOO_LARGE", f"the blob is larger than {limit} bytes")
                    digest.update(chunk)
                    await writer.write(chunk)
        except OSError as failed:
            raise _no_space(failed) from failed
        except obstore.exceptions.BaseError as failed:
            raise _no_space(failed) from failed
        await self._settle(path)
        return {"path": path, "size": size, "digest": f"sha256:{digest.hexdigest()}"}

    async def join(self, parts: list[dict[str, Any]], blob_id: str) -> str:
        """Make one blob of an upload's parts; returns its digest. The parts are gone or useless afterwards."""
        target = self.blob_path(blob_id)
        if len(parts) == 1:
            try:
                await obstore.rename_async(self._store, parts[0]["path"], target)
            except FileNotFoundError:
                # A crash after the rename and before the record: the client begins anew.
                raise RegistryError("BLOB_UPLOAD_UNKNOWN", "the upload's bytes are lost") from None
            await self._settle(target)
            return str(parts[0]["digest"])
        digest = hashlib.sha256()
        async with obstore.open_writer_async(self._store, target, buffer_size=8 * CHUNK) as writer:
            for part in parts:
                async for chunk in self._read(part["path"], 0, part["size"]):
                    digest.update(chunk)
                    await writer.write(chunk)
        await self._settle(target)
        return f"sha256:{digest.hexdigest()}"

    async def read(self, blob_id: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes [start, end) of a blob.

        Raises:
            RegistryError: BLOB_UNKNOWN, its file is lost.
        """
        async for chunk in self._read(self.blob_path(blob_id), start, end):
            yield chunk

    async def _read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        if start >= end:
            return
        try:
            result = await obstore.get_async(self._store, path, options={"range": (start, end)})
        except FileNotFoundError:
            raise RegistryError("BLOB_UNKNOWN", "the blob's file is lost", detail=path) from None
        async for chunk in result.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    async def remove_blob(self, blob_id: str) -> None:
        """Remove a blob's file; one that is not there is no error."""
        await self._remove(self.blob_path(blob_id))

    async def remove_parts(self, paths: list[str]) -> None:
        """Remove parts of an upload."""
        for path in paths:
            await self._remove(path)

    async def _remove(self, path: str) -> None:
        if self._root is not None and "#" in path:
            # What obstore writes before it renames; it refuses such names itself.
            (self._root / path).unlink(missing_ok=True)
            return
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            pass

    async def listing(self, prefix: str) -> AsyncIterator[tuple[str, float]]:
        """Paths below a prefix with the time of their last change; on disk also what a crash left half written."""
        if self._root is not None:
            for path, changed in await asyncio.to_thread(_files, self._root, prefix):
                yield path, changed
            return
        async for batch in obstore.list(self._store, prefix=prefix):
            for entry in batch:
                yield entry["path"], entry["last_modified"].timestamp()

    async def _settle(self, path: str) -> None:
        """Have a finished file survive a power cut: the rename is durable only with file and folder synced."""
        if self._root is not None:
            await asyncio.to_thread(_sync_file, self._root / path)


def _files(root: Path, prefix: str) -> list[tuple[str, float]]:
    found = []
    for folder, _, names in os.walk(root / prefix):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(FileNotFoundError):
                found.append((str(path.relative_to(root)), path.stat().st_mtime))
    return found


def _sync_file(path: Path) -> None:
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _no_space(failed: Exception) -> RegistryError:
    if "No space left" in str(failed) or "Disk quota" in str(failed):
        return RegistryError("NO_SPACE", "no space left on the registry's disk")
    return RegistryError("UNAVAILABLE", f"the blob store failed: {type(failed).__name__}")
