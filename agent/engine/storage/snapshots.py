"""Writable layers: one a container or build step, on top of an image's chain.

    SNAPSHOTS/<key>/
    ├── upper, work         overlay's own
    ├── merged              where it is mounted, in the engine's mount namespace
    └── chain -> sha256:…   what it stands on; a link, so that it is never half written, and made last

``unmount`` is the caller's to time: without ``volatile`` it syncs the whole file system.
"""

import asyncio
import os
import re
import shutil
import stat
from pathlib import Path

from agent.engine.errors import Invalid, NoSpace, NotFound, System
from agent.engine.kernel import quota
from agent.engine.kernel.failpoints import failpoint
from agent.engine.storage import initlayer, overlay
from agent.engine.storage.changes import Change, changes
from agent.engine.storage.difftar import write_tar
from agent.engine.storage.faults import kernel_errors
from agent.engine.storage.hashing import HashSink
from agent.engine.storage.layers import LayerRef, Layers, chain
from agent.engine.storage.trash import Trash

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SCRATCH = "scratch"


class Snapshots:
    """The folder of writable layers."""

    def __init__(self, folder: Path, layers: Layers, trash: Trash) -> None:
        """Drop what a crash left half made."""
        self._folder, self._layers, self._trash = folder, layers, trash
        self._overlay = overlay.Overlay(layers.folder)
        self._mapped: overlay.Overlay | None = None
        self.roots: Path | None = None
        """Where snapshots are mounted with other ids: ours let a container's root not pass."""
        folder.mkdir(parents=True, exist_ok=True)
        initlayer.fill(layers.path(""))
        self._chains: dict[str, str] = {}
        for entry in list(folder.iterdir()):
            try:
                self._chains[entry.name] = (entry / "chain").readlink().name.replace(_SCRATCH, "")
            except FileNotFoundError:
                trash.throw(entry)

    def path(self, key: str) -> Path:
        """The snapshot's own folder."""
        if not _KEY.fullmatch(key):
            raise Invalid(f"invalid snapshot key: {key!r}")
        return self._folder / key

    def upper(self, key: str) -> Path:
        """What the container has written."""
        return self.path(key) / "upper"

    def merged(self, key: str) -> Path:
        """Where the whole file system is seen while mounted."""
        path = self.path(key) / "merged"
        return self.roots / key if self.roots and (self.roots / key).exists() else path

    def chain_of(self, key: str) -> str:
        """The chain that the snapshot stands on; empty for none.

        Raises:
            NotFound: no such snapshot.
        """
        try:
            return self._chains[key]
        except KeyError:
            raise NotFound(f"snapshot {key} does not exist") from None

    def belonging(self, key: str) -> list[str]:
        """Other snapshots made for the owner of this one: ``KEY.…``."""
        return [other for other in self._chains if other.startswith(f"{key}.")]

    def chains_in_use(self) -> set[str]:
        """Chains that some snapshot stands on."""
        return set(self._chains.values())

    def limits(self) -> bool:
        """The disk can limit the size of a writable layer."""
        return quota.works(self._folder)

    async def prepare(self, key: str, chain_id: str, size: int = 0) -> None:
        """Make the writable layer. Doing it again is fine.

        Args:
            key: names it.
            chain_id: what it stands on.
            size: bytes that it may hold at most, where ``limits``; 0: no limit.

        Raises:
            NotFound: the chain is not there.
            NoSpace, System: the disk refused.
        """
        self._layers.lineage(chain_id)
        if self._chains.get(key) == chain_id:
            return
        path = self.path(key)
        self._chains[key] = chain_id
        try:
            await asyncio.to_thread(_make, path, chain_id, size)
        except BaseException:
            self._chains.pop(key, None)
            raise

    def map(self, layers: Path, owner: tuple[int, int]) -> None:
        """Be able to mount with other ids.

        Args:
            layers: the layers' directory in a view of the data root with those ids.
            owner: who root is there.
        """
        self._mapped = overlay.Overlay(layers, owner)

    async def mount(self, key: str, *, volatile: bool = False, mapped: bool = False) -> Path:
        """Mount the snapshot and return where. Doing it again is fine.

        Args:
            key: of ``prepare``.
            volatile: skip every sync; a power cut then loses the layer. For what is thrown away anyhow.
            mapped: with the ids that ``map`` has given.

        Raises:
            NotFound: no such snapshot.
            System: the kernel refused.
        """
        path, merged = self.path(key), self.merged(key)
        chain_id = self.chain_of(key)
        mapped = mapped and self._mapped is not None and self.roots is not None
        if overlay.mounted(merged):
            if mapped == (merged.parent == self.roots):
                return merged
            await self.unmount(key)
            merged = self.merged(key)
        lowers = [self._layers.name(layer.id) for layer in self._layers.lineage(chain_id)]
        lowers.append(self._layers.name(""))
        own = os.path.relpath(path, self._layers.folder)
        # Overlay refuses a layer that was once mounted so; whoever mounts it again has accepted what may be lost.
        shutil.rmtree(path / "work" / "work" / "incompat", ignore_errors=True)
        uses, target = self._overlay, f"{own}/merged"
        if mapped:
            assert self._mapped is not None
            assert self.roots is not None
            merged = self.roots / key
            merged.mkdir(mode=0o700, exist_ok=True)
            uses, target = self._mapped, str(merged)
        await uses.mount(lowers, f"{own}/upper", f"{own}/work", target, volatile=volatile)
        return merged

    async def unmount(self, key: str) -> None:
        """Unmount; not mounted is fine. Without ``volatile`` it waits until the file system is written back."""
        with kernel_errors("unmounting a container's file system"):
            await asyncio.to_thread(self._unmount, self.merged(key))

    def _unmount(self, merged: Path) -> None:
        overlay.unmount(merged)
        if merged.parent == self.roots:
            merged.rmdir()

    async def remove(self, key: str) -> None:
        """Unmount and throw the writable layer away; gone already is fine."""
        await self.unmount(key)
        self._trash.throw(self.path(key))
        self._chains.pop(key, None)

    async def changes(self, key: str) -> list[Change]:
        """Paths added, modified or removed, for ``docker diff``."""
        lowers = [self._layers.path(layer.id) for layer in self._layers.lineage(self.chain_of(key))]
        lowers.append(self._layers.path(""))
        return await asyncio.to_thread(changes, self.upper(key), lowers)

    def clean(self, key: str) -> bool:
        """Nothing was written: a commit would make an empty layer."""
        with os.scandir(self.upper(key)) as scan:
            return next(scan, None) is None

    async def usage(self, key: str) -> int:
        """Bytes that the container has written (``SizeRw``)."""
        self.chain_of(key)
        return await asyncio.to_thread(usage, self.upper(key))

    async def commit(self, key: str, *, move: bool = False) -> LayerRef:
        """Make what was written a layer of its own.

        Args:
            key: of ``prepare``. Pause the container first for one moment's picture.
            move: the writable layer may be consumed: it is unmounted and renamed instead of copied, and the snapshot is
                gone afterwards. For build steps.

        Raises:
            NotFound: no such snapshot.
            NoSpace, System: nothing was committed.
        """
        parent = self.chain_of(key)
        sink = HashSink()
        if move:
            await self.unmount(key)
        folder = self.upper(key) if move else await self._copied(key)
        try:
            failpoint("commit.copied")
            size = await asyncio.to_thread(write_tar, folder, sink)
            self._layers.expect(chain(parent, sink.digest))
            record = await self._layers.adopt(folder, diff_id=sink.digest, parent=parent, size=size)
            failpoint("commit.layer")
        except BaseException:
            if not move:
                self._layers.discard(folder)
            raise
        if move:
            await self.remove(key)
        return LayerRef(record.diff_id, chain(parent, record.diff_id), record.size)

    def close(self) -> None:
        """End the mounting thread."""
        self._overlay.close()
        if self._mapped is not None:
            self._mapped.close()

    async def _copied(self, key: str) -> Path:
        folder = self._layers.scratch()
        copy = await asyncio.create_subprocess_exec(
            "cp", "-a", "--reflink=auto", "-T", str(self.upper(key)), str(folder), stderr=asyncio.subprocess.PIPE
        )
        _, said = await copy.communicate()
        if copy.returncode:
            self._layers.discard(folder)
            text = said.decode(errors="replace").strip()[-300:]
            raise (NoSpace if "No space left" in text else System)(f"copying the container's layer: {text}")
        return folder


def _make(path: Path, chain_id: str, size: int) -> None:
    with kernel_errors("making a container's writable layer"):
        path.mkdir(mode=0o710, exist_ok=True)
        if size:
            quota.limit(path, size)
        for name, mode in (("upper", 0o755), ("work", 0o700), ("merged", 0o700)):
            (path / name).mkdir(mode=mode, exist_ok=True)
        link = path / "chain"
        link.unlink(missing_ok=True)
        link.symlink_to(chain_id or _SCRATCH)


def usage(folder: Path) -> int:
    """The sizes of all files below, each inode once. Blocking."""
    total, seen = 0, set()
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as scan:
                for entry in scan:
                    info = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(info.st_mode):
                        pending.append(Path(entry.path))
                    elif info.st_nlink == 1 or info.st_ino not in seen:
                        seen.add(info.st_ino)
                        total += info.st_size
        except FileNotFoundError:
            continue  # the container is at work
    return total
