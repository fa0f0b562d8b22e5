"""Blobs by digest: configurations, manifests, and layers compressed as they were pulled.

    CONTENT/
    ├── blobs/sha256/<hex>      whole and verified; the name is the promise
    └── ingest/<uuid>           being written; emptied at start

A blob is written to ``ingest``, hashed on the way, synced, renamed, and its directory synced: a name in ``blobs``
always holds its bytes, also after a power cut.
"""

import asyncio
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from agent.engine.errors import Invalid, NotFound
from agent.engine.kernel.files import sync_directory
from agent.engine.storage.faults import kernel_errors

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Documents are read whole into memory; anything larger is an attack.
DOCUMENT_LIMIT = 4 << 20


def digest_of(data: bytes) -> str:
    """``sha256:…`` of these bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def checked(digest: str) -> str:
    """The digest itself, once it is known to be one: it becomes a file name.

    Raises:
        Invalid: not ``sha256:`` and 64 lower-case hex digits.
    """
    if not DIGEST.fullmatch(digest):
        raise Invalid(f"invalid or unsupported digest: {digest[:100]!r}")
    return digest


class Ingest:
    """One blob being written. Blocking: for threads, or small writes. Leaving the ``with`` block drops it."""

    def __init__(self, store: "ContentStore") -> None:
        self._store = store
        self.path = store.incoming / str(uuid.uuid4())
        self._file: BinaryIO = self.path.open("xb", buffering=0)
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> "Ingest":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            NoSpace, System: the disk refused.
        """
        with kernel_errors("writing a blob"):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        self._hash.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Forget what was written: the source began anew."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        """The digest of what has been written so far."""
        return "sha256:" + self._hash.hexdigest()

    def commit(self, expected: str | None = None) -> str:
        """Make the blob visible under its digest, durably.

        Raises:
            Invalid: the bytes are not those of the expected digest.
            NoSpace, System: the disk refused.
        """
        digest = self.digest
        if expected is not None and digest != expected:
            raise Invalid(f"filesystem layer verification failed for digest {expected}")
        target = self._store.path(digest)
        with kernel_errors("storing a blob"):
            os.fsync(self._file.fileno())
            self.path.rename(target)
            sync_directory(target.parent)
        return digest


class ContentStore:
    """The folder of blobs."""

    def __init__(self, root: Path) -> None:
        """Make the folders and drop what a crash left half written."""
        self.blobs = root / "blobs" / "sha256"
        self.incoming = root / "ingest"
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.incoming.mkdir(parents=True)

    def path(self, digest: str) -> Path:
        """Where a blob lies or would lie."""
        return self.blobs / checked(digest).removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        """The blob is there, whole."""
        return self.path(digest).exists()

    def size(self, digest: str) -> int:
        """Length of a stored blob.

        Raises:
            NotFound: it is not stored.
        """
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise NotFound(f"blob {digest} is not stored") from None

    def read(self, digest: str) -> bytes:
        """A whole document: a configuration or a manifest.

        Raises:
            NotFound: it is not stored.
            Invalid: it is too large for a document.
        """
        if self.size(digest) > DOCUMENT_LIMIT:
            raise Invalid(f"blob {digest} is no document: larger than {DOCUMENT_LIMIT} bytes")
        return self.path(digest).read_bytes()

    def ingest(self) -> Ingest:
        """Begin to write a blob."""
        with kernel_errors("writing a blob"):
            return Ingest(self)

    async def put(self, data: bytes) -> str:
        """Store a small document; its digest. Storing it again is fine."""
        digest = digest_of(data)
        if self.has(digest):
            return digest

        def write() -> str:
            with self.ingest() as blob:
                blob.write(data)
                return blob.commit()

        return await asyncio.to_thread(write)

    def delete(self, digest: str) -> None:
        """Forget a blob; one that is gone is fine."""
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """Every stored blob."""
        for entry in os.scandir(self.blobs):
            yield "sha256:" + entry.name
