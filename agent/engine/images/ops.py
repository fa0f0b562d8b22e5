"""What every verb on images needs, built once by the service."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from agent.engine.errors import Invalid
from agent.engine.events import EventBus
from agent.engine.images import configs
from agent.engine.images.configs import Json
from agent.engine.images.reference import Reference
from agent.engine.images.store import ImageRecord, ImageStore
from agent.engine.images.unpack import Limits
from agent.engine.state.locks import Locks
from agent.engine.state.repository import Containers
from agent.engine.storage.content import ContentStore
from agent.engine.storage.gc import Live
from agent.engine.storage.layers import Layers, chains
from agent.engine.storage.leases import Lease, Leases
from agent.engine.storage.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Ops:
    """The stores and the bus. ``changing`` is held while images are removed or their names moved."""

    store: ImageStore
    content: ContentStore
    layers: Layers
    snapshots: Snapshots
    leases: Leases
    events: EventBus
    containers: Containers
    limits: Limits
    changing: asyncio.Lock
    busy: Locks
    """By chain id: one unpacks a layer, others wait for it."""

    def tell(self, action: str, actor: str, name: str, image: ImageRecord | None = None) -> None:
        """Publish an image's event; its labels go along, as with dockerd."""
        labels = ((image.config.get("config") or {}).get("Labels") or {}) if image else {}
        self.events.publish("image", action, actor, {**labels, "name": name})

    async def register(
        self,
        raw: bytes,
        *,
        names: Iterable[Reference] = (),
        parent: str = "",
        manifests: tuple[str, ...] = (),
        lease: Lease,
    ) -> ImageRecord:
        """Make a configuration whose layers are all here an image.

        Raises:
            Invalid: the configuration is no image's, or a layer is missing.
            NoSpace, System: the disk refused; no image was made.
        """
        config, diff_ids = configs.parse_config(raw)
        stack = chains(diff_ids)
        for chain_id, diff_id in zip(stack, diff_ids, strict=True):
            if not self.layers.has(chain_id):
                raise Invalid(f"the image's layer {diff_id} is not here")
        lease.add(*stack)
        image_id = await self.content.put(raw)
        lease.add(image_id)
        given = tuple(names)
        record = ImageRecord(
            id=image_id,
            config=config,
            chains=tuple(stack),
            size=sum(self.layers.records.get(chain_id).size for chain_id in stack),
            parent=parent,
            manifests=manifests,
            tagged_ns=time.time_ns() if any(name.tag for name in given) else 0,
        )
        async with self.changing:
            added = await self.store.add(record, given)
        self.layers.used(stack)
        return added

    def live(self) -> Live:
        """What images and snapshots need now."""
        held: set[str] = set()
        blobs: set[str] = set()
        for image in self.store.images:
            held.update(image.chains)
            blobs.update((image.id, *image.manifests))
        for top in self.snapshots.chains_in_use():
            held.update(layer.id for layer in self.layers.lineage(top))
        for chain_id in held:
            if (layer := self.layers.records.find(chain_id)) is not None:
                blobs.update(blob.digest for blob in layer.blobs)
        return Live(held, blobs)

    async def create(
        self,
        config: Json,
        *,
        parent: ImageRecord | None = None,
        names: Iterable[Reference] = (),
        lease: Lease,
    ) -> ImageRecord:
        """``register`` a configuration that was made here."""
        return await self.register(configs.encode(config), names=names, parent=parent.id if parent else "", lease=lease)
