"""A layer's compressed blob: what it was pulled as, or made once and kept."""

import asyncio
from pathlib import Path

from agent.engine.images.ops import Ops
from agent.engine.storage.compression import Gzip, inflated
from agent.engine.storage.content import Ingest
from agent.engine.storage.difftar import write_tar
from agent.engine.storage.layers import BlobRef, LayerRecord
from agent.engine.storage.leases import Lease

LAYER_DOCKER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


async def packed(ops: Ops, chain_id: str, lease: Lease) -> BlobRef:
    """The blob to send for a layer; the lease holds it.

    Raises:
        NoSpace, System: it could not be made.
    """
    async with ops.busy.hold(chain_id):
        layer = ops.layers.records.get(chain_id)
        for blob in layer.blobs:
            if ops.content.has(blob.digest) and not blob.media_type.endswith(".tar"):
                lease.add(blob.digest)
                return blob
        made = await asyncio.to_thread(_make, ops, layer, _plain(ops, layer))
        lease.add(made.digest)
        await ops.layers.add_blob(layer, made)
        return made


def _plain(ops: Ops, layer: LayerRecord) -> Path | None:
    """The layer's own tar, where it came as one."""
    for blob in layer.blobs:
        if ops.content.has(blob.digest):
            return ops.content.path(blob.digest)
    return None


def _make(ops: Ops, layer: LayerRecord, plain: Path | None) -> BlobRef:
    with ops.content.ingest() as blob:
        sink = Gzip(blob.write)
        if plain is None:
            write_tar(ops.layers.path(layer.id), sink, ops.layers.marks)
        else:
            _copy(plain, sink)
        sink.close()
        return _kept(blob)


def _copy(plain: Path, sink: Gzip) -> None:
    with plain.open("rb") as file:
        for piece in inflated(file.read):
            sink.write(piece)


def _kept(blob: Ingest) -> BlobRef:
    return BlobRef(blob.commit(), blob.size, LAYER_DOCKER)
