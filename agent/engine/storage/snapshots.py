"""Writable layers: one a container or build step, on top of an image's chain.

    SNAPSHOTS/<key>/
    ├── …                   the storage driver's own (storage/drivers)
    └── chain -> sha256:…   what it stands on; a link, so that it is never half written, and made last

``unmount`` is the caller's to time: without ``volatile`` it syncs the whole file system.
"""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from agent.engine.errors import Invalid, NotFound
from agent.engine.kernel import quota
from agent.engine.kernel.failpoints import failpoint
from agent.engine.storage import initlayer
from agent.engine.storage.changes import Change
from agent.engine.storage.difftar import write_tar
from agent.engine.storage.drivers.base import Driver
from agent.engine.storage.drivers.overlay2 import Overlay2
from agent.engine.storage.faults import kernel_errors
from agent.engine.storage.hashing import HashSink
from agent.engine.storage.layers import LayerRef, Layers, chain
from agent.engine.storage.trash import Trash

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SCRATCH = "scratch"


class Snapshots:
    """The folder of writable layers."""

    def __init__(self, folder: Path, layers: Layers, trash: Trash, driver: Driver | None = None) -> None:
        """Drop what a crash left half made. The driver is that of the layers."""
        self._folder, self._layers, self._trash = folder, layers, trash
        self._driver = driver or Overlay2(layers.folder)
        self._mapped = False
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

    @property
    def driver(self) -> str:
        """Its name."""
        return self._driver.name

    def graph(self, key: str) -> dict[str, str] | None:
        """Docker's ``GraphDriver.Data``."""
        found = self._driver.graph(self.path(key))
        return found and found | {"MergedDir": str(self.merged(key))}

    def merged(self, key: str) -> Path:
        """Where the whole file system is seen while mounted."""
        path = self._driver.seen(self.path(key))
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
        """The disk, and the driver, can limit the size of a writable layer."""
        return self._driver.limits and quota.works(self._folder)

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
        if self._chains.get(key) == chain_id:
            self._layers.lineage(chain_id)
            return
        lowers = self._lowers(chain_id)
        path = self.path(key)
        self._chains[key] = chain_id
        try:
            await asyncio.to_thread(self._make, path, chain_id, lowers, size)
        except BaseException:
            self._chains.pop(key, None)
            raise

    def _make(self, path: Path, chain_id: str, lowers: Sequence[str], size: int) -> None:
        with kernel_errors("making a container's writable layer"):
            path.mkdir(mode=0o710, exist_ok=True)
            if size:
                quota.limit(path, size)
            self._driver.make(path, lowers)
            link = path / "chain"
            link.unlink(missing_ok=True)
            link.symlink_to(chain_id or _SCRATCH)

    def _lowers(self, chain_id: str) -> list[str]:
        lowers = [self._layers.name(layer.id) for layer in self._layers.lineage(chain_id)]
        lowers.append(self._layers.name(""))
        return lowers

    @property
    def mappable(self) -> bool:
        """``map`` can be called."""
        return self._driver.mappable

    def map(self, root: Path, owner: tuple[int, int]) -> None:
        """Be able to mount with other ids.

        Args:
            root: a view of the data root with those ids.
            owner: who root is there.
        """
        self._driver.map(root, owner)
        self._mapped = True

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
        mapped = mapped and self._mapped and self.roots is not None
        if self._driver.mounted(merged):
            if mapped == (merged.parent == self.roots):
                return merged
            await self.unmount(key)
            merged = self.merged(key)
        target: Path | None = None
        if mapped:
            assert self.roots is not None
            merged = target = self.roots / key
            merged.mkdir(mode=0o700, exist_ok=True)
        await self._driver.mount(path, self._lowers(chain_id), target, volatile=volatile, mapped=mapped)
        return merged

    async def unmount(self, key: str) -> None:
        """Unmount; not mounted is fine. Without ``volatile`` it waits until the file system is written back."""
        with kernel_errors("unmounting a container's file system"):
            await asyncio.to_thread(self._unmount, self.merged(key))

    def _unmount(self, merged: Path) -> None:
        self._driver.unmount(merged)
        if merged.parent == self.roots:
            merged.rmdir()

    async def remove(self, key: str) -> None:
        """Unmount and throw the writable layer away; gone already is fine."""
        await self.unmount(key)
        self._trash.throw(self.path(key))
        self._chains.pop(key, None)

    async def changes(self, key: str) -> list[Change]:
        """Paths added, modified or removed, for ``docker diff``."""
        lowers = self._lowers(self.chain_of(key))
        return await asyncio.to_thread(self._driver.changes, self.path(key), lowers)

    async def clean(self, key: str) -> bool:
        """Nothing was written: a commit would make an empty layer."""
        lowers = self._lowers(self.chain_of(key))
        return await asyncio.to_thread(self._driver.clean, self.path(key), lowers)

    async def usage(self, key: str) -> int:
        """Bytes that the container has written (``SizeRw``)."""
        chain_id = self.chain_of(key)
        try:
            lowers = self._lowers(chain_id)
        except NotFound:
            lowers = []  # a layer was lost: the container must be removable all the same
        return await asyncio.to_thread(self._driver.usage, self.path(key), lowers)

    async def commit(self, key: str, *, move: bool = False) -> LayerRef:
        """Make what was written a layer of its own.

        Args:
            key: of ``prepare``. Pause the container first for one moment's picture.
            move: the writable layer may be consumed: it is unmounted and moved instead of copied, and the snapshot is
                gone afterwards. For build steps.

        Raises:
            NotFound: no such snapshot.
            NoSpace, System: nothing was committed.
        """
        parent = self.chain_of(key)
        sink = HashSink()
        if move:
            await self.unmount(key)
        folder = await asyncio.to_thread(self._layer, key, self._lowers(parent), move=move)
        try:
            failpoint("commit.copied")
            size = await asyncio.to_thread(write_tar, folder, sink, self._layers.marks)
            self._layers.expect(chain(parent, sink.digest))
            record = await self._layers.adopt(folder, diff_id=sink.digest, parent=parent, size=size)
            failpoint("commit.layer")
        except BaseException:
            if folder.parent != self.path(key):
                self._layers.discard(folder)
            raise
        if move:
            await self.remove(key)
        return LayerRef(record.diff_id, chain(parent, record.diff_id), record.size)

    def close(self) -> None:
        """End what the driver has running; file systems stay."""
        self._driver.close()

    def _layer(self, key: str, lowers: Sequence[str], *, move: bool) -> Path:
        made: list[Path] = []

        def scratch() -> Path:
            made.append(self._layers.scratch())
            return made[-1]

        try:
            with kernel_errors("copying the container's layer"):
                return self._driver.layer(self.path(key), lowers, scratch, move=move)
        except BaseException:
            for folder in made:
                self._layers.discard(folder)
            raise
