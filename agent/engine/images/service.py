"""Images as the rest of the engine knows them. Each verb lives in a module of its name."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import Invalid
from agent.engine.events import EventBus
from agent.engine.images import archive, commit, configs, importing, listing, loading, reference, remove, shapes
from agent.engine.images.configs import Json
from agent.engine.images.ops import Ops
from agent.engine.images.pull import Puller
from agent.engine.images.push import push
from agent.engine.images.reference import Reference
from agent.engine.images.store import Image, ImageRecord, ImageStore
from agent.engine.images.unpack import Limits
from agent.engine.registry.client import Registries
from agent.engine.registry.keychain import Credentials
from agent.engine.registry.search import search
from agent.engine.state.db import Database
from agent.engine.state.locks import Locks
from agent.engine.state.records import ContainerRecord
from agent.engine.state.repository import Containers
from agent.engine.storage.content import ContentStore
from agent.engine.storage.drivers.base import Driver
from agent.engine.storage.drivers.overlay2 import Overlay2
from agent.engine.storage.layers import LayerRef, Layers
from agent.engine.storage.leases import Lease, Leases
from agent.engine.storage.snapshots import Snapshots
from agent.engine.storage.trash import Trash

Progress = Callable[[Json], None]
Filters = Mapping[str, list[str]]
Images = list[Image]
Rows = list[Json]
Removed = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Images' part of ``GET /system/df``."""

    layers_size: int
    images: list[Json]


class ImageService:
    """Pull, push, import, load, save, tag, commit, remove, and look."""

    def __init__(
        self,
        *,
        database: Database,
        content: ContentStore,
        layers: Layers,
        snapshots: Snapshots,
        containers: Containers,
        events: EventBus,
        registries: Registries,
        limits: Limits | None = None,
    ) -> None:
        self._ops = Ops(
            store=ImageStore(database),
            content=content,
            layers=layers,
            snapshots=snapshots,
            leases=Leases(),
            events=events,
            containers=containers,
            limits=limits or Limits(),
            changing=asyncio.Lock(),
            busy=Locks(),
        )
        self._registries = registries
        self._puller = Puller(self._ops, registries)

    # Looking

    def resolve(self, ref: str) -> Image:
        """The image that a client means: an id or its beginning, or a name.

        Raises:
            NotFound: ``No such image: REF``.
            Invalid: neither.
        """
        return self._ops.store.view(self._ops.store.find(ref))

    def id_of(self, ref: str) -> str:
        """The id alone of the image that a client means; raises as ``resolve`` does."""
        return self._ops.store.find(ref).id

    def list(self) -> Images:
        """Every image, newest first."""
        return self._ops.store.view_all()

    def select(self, filters: Filters, *, all_: bool) -> Images:
        """Images for ``docker images``; see ``listing.select``."""
        return listing.select(
            self.list(),
            filters,
            all_=all_,
            find=self.resolve,
            children=lambda id_: bool(self._ops.store.children(id_)),
        )

    def rows(
        self, images: Sequence[Image], version: tuple[int, int], *, shared: bool = False, containers: bool = False
    ) -> Rows:
        """Docker's JSON of a list."""
        everything = self.list() if shared else []
        users = [record.image_id for record in self._ops.containers] if containers else []
        return [
            shapes.listed(
                image,
                version=version,
                shared=shapes.shared_size(image, everything, self._layer_size) if shared else -1,
                containers=users.count(image.id) if containers else -1,
            )
            for image in images
        ]

    def inspect(self, ref: str, version: tuple[int, int]) -> Json:
        """Docker's JSON of one image.

        Raises:
            NotFound: no such image.
        """
        image = self.resolve(ref)
        folders = [str(self._ops.layers.path(chain_id)) for chain_id in reversed(image.chains)]
        return shapes.inspected(
            image,
            version=version,
            driver=self._ops.snapshots.driver,
            folders=folders,
            container_config=configs.EMPTY_CONTAINER_CONFIG,
        )

    def history(self, ref: str) -> Rows:
        """How the image came to be, newest step first.

        Raises:
            NotFound: no such image.
        """
        image = self.resolve(ref)
        sizes = [self._layer_size(chain_id) for chain_id in image.chains]
        return shapes.history(image, sizes, self._ancestors(image))

    def disk_usage(self, version: tuple[int, int]) -> DiskUsage:
        """Images with what they share, and the size of all layers together."""
        size = sum(layer.size for layer in self._ops.layers.records)
        return DiskUsage(size, self.rows(self.select({}, all_=False), version, shared=True, containers=True))

    def manifest_digest(self, image: Image) -> str:
        """Digest of the manifest that the image came with; empty for one made here."""
        manifests = self._ops.store.images.get(image.id).manifests
        return manifests[-1] if manifests else ""

    def _ancestors(self, image: Image) -> Iterator[Image]:
        record: ImageRecord | None = self._ops.store.images.find(image.id)
        while record is not None:
            yield self._ops.store.view(record)
            record = self._ops.store.images.find(record.parent) if record.parent else None

    def _layer_size(self, chain_id: str) -> int:
        record = self._ops.layers.records.find(chain_id)
        return record.size if record else 0

    # From and to elsewhere

    async def pull(self, ref: str, platform: str, auth: Credentials | None, progress: Progress) -> Image:
        """Fetch an image by tag or digest; see ``pull.Puller``. Two pulls of one thing share the work.

        Args:
            platform: ``os/arch[/variant]``; empty for this host's.
            progress: gets dockerd's progress objects, the first once an unknown image or tag would have been refused.

        Raises:
            NotFound: the registry has no such image or tag, or not for this platform.
            Unauthorized, Unavailable, Invalid, NoSpace, System: see the message. No name has moved.
        """
        return self._ops.store.view(await self._puller.pull(ref, platform, auth, progress))

    async def pull_all_tags(self, name: str, platform: str, auth: Credentials | None, progress: Progress) -> None:
        """Every tag of a repository, one after the other."""
        for tag in await self._registries.tags(reference.parse(name), auth):
            await self._puller.pull(f"{name}:{tag}", platform, auth, progress)

    async def distribution(self, ref: str, auth: Credentials | None) -> Json:
        """What a registry has under a name, without fetching it: Docker's DistributionInspect."""
        return await self._puller.describe(ref, auth)

    async def search(self, term: str, limit: int, auth: Credentials | None) -> Sequence[Json]:
        """What a registry finds for a term; see ``registry.search``."""
        return await search(self._registries, term, limit, auth)

    def download(self, url: str, progress: Progress) -> AsyncIterator[bytes]:
        """The bytes behind an address, to import; see ``importing.download``."""
        return importing.download(self._registries, url, progress)

    async def push(self, name: str, tag: str, auth: Credentials | None, progress: Progress) -> None:
        """Send one tag, or with an empty tag all tags of the name.

        Raises:
            NotFound: no image has that name.
            Unauthorized, Unavailable: the registry would not.
        """
        await push(self._ops, self._registries, name, tag, auth, progress)

    async def import_image(
        self, chunks: AsyncIterable[bytes], *, name: str, tag: str, change: Callable[[Json], Json], message: str = ""
    ) -> Image:
        """An image from a tar of its files; see ``importing.import_image``."""
        named = _named(name, tag)
        record = await importing.import_image(self._ops, chunks, name=named, change=change, message=message)
        return self._ops.store.view(record)

    async def load(self, chunks: AsyncIterable[bytes], progress: Progress) -> None:
        """Images from an archive of ``docker save`` or an OCI layout; see ``loading.load``."""
        await loading.load(self._ops, chunks, progress)

    def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """An archive of images, in chunks; unknown names are refused before the first."""
        return archive.save(self._ops, refs)

    # Changing

    async def tag(self, ref: str, name: str, tag: str) -> None:
        """Give an image one more name; whatever had it before loses it.

        Raises:
            NotFound: no such image.
            Invalid: no name looks like that.
        """
        image = self._ops.store.find(ref)
        named = _named(name, tag)
        if named is None:
            raise Invalid("invalid reference format")
        named = named.with_default_tag()
        async with self._ops.changing:
            await self._ops.store.add(ImageRecord(id=image.id, config=image.config, tagged_ns=time.time_ns()), [named])
        self._ops.tell("tag", image.id, named.familiar, image)

    async def commit(
        self, container: ContainerRecord, *, config: Json, name: str, tag: str, author: str = "", comment: str = ""
    ) -> Image:
        """An image of what a container has written; see ``commit.commit``."""
        named = _named(name, tag)
        record = await commit.commit(self._ops, container, config=config, name=named, author=author, comment=comment)
        return self._ops.store.view(record)

    async def commit_layer(self, key: str, *, move: bool = False) -> LayerRef | None:
        """Make a snapshot's writes a layer; None where it wrote nothing. ``move`` consumes the snapshot."""
        if await self._ops.snapshots.clean(key):
            if move:
                await self._ops.snapshots.remove(key)
            return None
        return await self._ops.snapshots.commit(key, move=move)

    async def create_from_layers(
        self,
        config: Json,
        parent: Image | None,
        layers: Sequence[LayerRef],
        tags: Iterable[str] = (),
        *,
        created_by: str = "",
        comment: str = "",
        author: str = "",
        container: str = "",
        container_config: Json | None = None,
    ) -> Image:
        """An image of one more step.

        Args:
            config: what containers will take from it: Docker's ``Config``.
            parent: the image below; None for scratch.
            layers: none, or the one that the step made.
            tags: names, ``latest`` where they have no tag.
            created_by: the history's command.
        """
        below = self._ops.store.images.get(parent.id) if parent else None
        names = [reference.parse(tag).with_default_tag() for tag in tags]
        record = await commit.create_from_layers(
            self._ops,
            config,
            below,
            layers,
            names,
            created_by=created_by,
            comment=comment,
            author=author,
            container=container,
            container_config=container_config,
        )
        for name in names:
            self._ops.tell("tag", record.id, name.familiar, record)
        return self._ops.store.view(record)

    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> Removed:
        """Untag, and delete what has no name left; see ``remove.remove``."""
        return await remove.remove(self._ops, ref, force=force, prune=prune)

    async def prune(self, *, dangling: bool, matches: Callable[[dict[str, str], int], bool]) -> tuple[Removed, int]:
        """Remove images that nothing uses; see ``remove.prune``."""
        return await remove.prune(self._ops, dangling=dangling, matches=matches)

    def children(self, image_id: str) -> Images:
        """Images made from this one here; the build cache looks through them."""
        return [self._ops.store.view(record) for record in self._ops.store.children(image_id)]

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """Hold names against collection for the block."""
        with self._ops.leases.hold() as lease:
            yield lease


def _named(name: str, tag: str) -> Reference | None:
    """A name from a request's ``repo`` and ``tag``; None for no name."""
    if not name:
        return None
    parsed = reference.parse(name)
    if tag:
        if parsed.digest:
            raise Invalid("refusing to create a tag with a digest reference")
        return parsed.with_tag(tag)
    if parsed.digest:
        raise Invalid("refusing to create a tag with a digest reference")
    return parsed


def open_stores(
    root: Path, database: Database, make_driver: Callable[[Path], Driver] = Overlay2
) -> tuple[ContentStore, Layers, Snapshots]:
    """The stores below a data root, laid out as ``paths`` says.

    Args:
        root: the data root.
        database: its records.
        make_driver: makes the storage driver, from the folder of layers.
    """
    content = ContentStore(root / "content")
    trash, folder = Trash(root / "trash"), root / "layers"
    folder.mkdir(parents=True, exist_ok=True)
    driver = make_driver(folder)
    layers = Layers(database, folder, root / "tmp" / "layers", trash, driver.marks)
    return content, layers, Snapshots(root / "snapshots", layers, trash, driver)
