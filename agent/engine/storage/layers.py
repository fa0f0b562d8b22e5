"""Read-only layers, unpacked, each in a folder named after its chain id.

A layer's folder depends on nothing below it, but its name does: overlay stacks folders by chain. Blobs that hold the
same layer compressed are listed in its record, so that a push sends what was pulled.
"""

import asyncio
import fcntl
import hashlib
import os
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

import msgspec

from agent.engine.errors import NotFound
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.files import sync_directory
from agent.engine.kernel.syscalls import syncfs
from agent.engine.state.db import Database
from agent.engine.state.repository import Repository
from agent.engine.storage.faults import kernel_errors
from agent.engine.storage.marks import KERNEL, Marks
from agent.engine.storage.trash import Trash

# 96 bits in the folder's name: a page of mount options then holds 127 layers, and nobody finds a second preimage.
_NAME_DIGITS = 24
EMPTY = "empty"
FRESH = 3600.0
"""Seconds that a committed layer may wait for its image."""
_GET_FLAGS, _SET_FLAGS, _TOP_OF_HIERARCHY = 0x80086601, 0x40086602, 0x20000


class BlobRef(msgspec.Struct, frozen=True):
    """A blob of the content store and what it is."""

    digest: str
    size: int
    media_type: str


class LayerRecord(msgspec.Struct, frozen=True):
    """``id`` is the chain id; ``parent`` the chain below, empty at the bottom; ``size`` counts the files' bytes."""

    id: str
    diff_id: str
    parent: str
    size: int
    blobs: tuple[BlobRef, ...] = ()


class LayerRef(msgspec.Struct, frozen=True):
    """What a commit of a writable layer yields."""

    diff_id: str
    chain_id: str
    size: int


def chain(parent: str, diff_id: str) -> str:
    """The chain id of a layer on top of a chain (OCI image spec, "Layer ChainID")."""
    return "sha256:" + hashlib.sha256(f"{parent} {diff_id}".encode()).hexdigest() if parent else diff_id


def chains(diff_ids: Iterable[str]) -> list[str]:
    """The chain ids of a stack of layers, bottom first."""
    found: list[str] = []
    for diff_id in diff_ids:
        found.append(chain(found[-1] if found else "", diff_id))
    return found


class Layers:
    """The folder of layers and its records."""

    def __init__(self, database: Database, folder: Path, tmp: Path, trash: Trash, marks: Marks = KERNEL) -> None:
        """Empty ``tmp``, which is ours alone, and drop folders that no record names: a crash left them."""
        self.folder, self._tmp, self._trash, self.marks = folder, tmp, trash, marks
        self.records: Repository[LayerRecord] = Repository(database, "layer", LayerRecord)
        self._fresh: dict[str, float] = {}
        (folder / EMPTY).mkdir(parents=True, exist_ok=True)
        tmp.mkdir(parents=True, exist_ok=True)
        _spread(tmp)
        for entry in list(tmp.iterdir()):
            trash.throw(entry)
        known = {self.name(record.id) for record in self.records} | {EMPTY}
        for entry in list(folder.iterdir()):
            if entry.name not in known:
                trash.throw(entry)

    @staticmethod
    def name(chain_id: str) -> str:
        """The folder's name within the folder of layers."""
        return chain_id.removeprefix("sha256:")[:_NAME_DIGITS] if chain_id else EMPTY

    def path(self, chain_id: str) -> Path:
        """The layer's folder."""
        return self.folder / self.name(chain_id)

    def has(self, chain_id: str) -> bool:
        """The layer is there, whole."""
        return chain_id in self.records

    def is_fresh(self, chain_id: str) -> bool:
        """Committed not long ago, and not yet part of an image: not to be collected."""
        return time.monotonic() - self._fresh.get(chain_id, -FRESH) < FRESH

    def expect(self, chain_id: str) -> None:
        """This layer is about to be committed and becomes part of an image soon."""
        self._fresh[chain_id] = time.monotonic()

    def used(self, chain_ids: Iterable[str]) -> None:
        """These are part of an image now."""
        for chain_id in chain_ids:
            self._fresh.pop(chain_id, None)

    def carries(self, chain_id: str) -> bool:
        """Another layer stands on this one."""
        return any(record.parent == chain_id for record in self.records)

    def depth(self, chain_id: str) -> int:
        """How many layers there are from this one down."""
        found = 0
        while (record := self.records.find(chain_id)) is not None:
            found, chain_id = found + 1, record.parent
        return found

    def lineage(self, chain_id: str) -> list[LayerRecord]:
        """The layer and all below it, topmost first.

        Raises:
            NotFound: a layer of the chain is missing.
        """
        found: list[LayerRecord] = []
        while chain_id:
            record = self.records.find(chain_id)
            if record is None:
                raise NotFound(f"layer {chain_id} does not exist")
            found.append(record)
            chain_id = record.parent
        return found

    def of_diff(self, diff_id: str) -> LayerRecord | None:
        """Any layer of the same content, whatever lies below it."""
        return next((record for record in self.records if record.diff_id == diff_id), None)

    def scratch(self) -> Path:
        """A fresh folder to unpack into; ``adopt`` makes it a layer, and a restart of the engine removes it."""
        path = self._tmp / str(uuid.uuid4())
        with kernel_errors("making a folder for a layer"):
            path.mkdir(mode=0o755)
        return path

    async def adopt(
        self, folder: Path, *, diff_id: str, parent: str, size: int, blob: BlobRef | None = None
    ) -> LayerRecord:
        """Make an unpacked folder a layer: sync, rename, sync the parent, record. The caller holds the chain's lock.

        Raises:
            NoSpace, System: not adopted; the folder is left to the caller.
        """
        record = LayerRecord(chain(parent, diff_id), diff_id, parent, size, (blob,) if blob else ())
        if (known := self.records.find(record.id)) is not None:
            self.discard(folder)
            return await self.add_blob(known, blob) if blob else known
        await asyncio.to_thread(_place, folder, self.path(record.id), self._trash)
        return await self.records.save(record)

    async def add_blob(self, record: LayerRecord, blob: BlobRef) -> LayerRecord:
        """Remember that a blob holds this layer."""
        current = self.records.get(record.id)
        if any(known.digest == blob.digest for known in current.blobs):
            return current
        return await self.records.change(record.id, blobs=(*current.blobs, blob))

    async def remove(self, chain_id: str) -> None:
        """Forget a layer. The caller knows that nothing stands on it."""
        self._trash.throw(self.path(chain_id))
        await self.records.delete(chain_id)

    def discard(self, folder: Path) -> None:
        """Throw away a folder that has not become a layer."""
        self._trash.throw(folder)

    async def settled(self) -> None:
        """Return once the space of what was removed is free."""
        await self._trash.settled()


def _spread(folder: Path) -> None:
    """Have ext4 place each layer far from the last (``chattr +T``).

    It does not use an inode again for a minute after its deletion, and looks past all of those one by one: a pull after
    a removal took three times as long in the same block group. Other file systems know no such flag and need none.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flags = bytearray(fcntl.ioctl(fd, _GET_FLAGS, bytes(8)))
        flags[:4] = (int.from_bytes(flags[:4], sys.byteorder) | _TOP_OF_HIERARCHY).to_bytes(4, sys.byteorder)
        fcntl.ioctl(fd, _SET_FLAGS, bytes(flags))
    except OSError:
        pass
    finally:
        os.close(fd)


def _place(folder: Path, target: Path, trash: Trash) -> None:
    with kernel_errors("storing a layer"):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            syncfs(fd)
        finally:
            os.close(fd)
        trash.throw(target)
        folder.rename(target)
        sync_directory(target.parent)
        failpoint("pull.placed")
