"""Make an image of one layer from a tar, sent along or behind an address: ``docker import``."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from http import HTTPStatus

import aiohttp
from yarl import URL

from agent.engine.errors import Denied, EngineError, Invalid, NotFound, System, Unauthorized, Unavailable
from agent.engine.images import configs
from agent.engine.images.configs import Json
from agent.engine.images.ops import Ops
from agent.engine.images.progress import Meter, Progress
from agent.engine.images.reference import Reference
from agent.engine.images.store import ImageRecord
from agent.engine.images.unpack import unpack
from agent.engine.registry.client import Registries, read_whole
from agent.engine.storage.compression import LONGEST_MAGIC, recognise
from agent.engine.storage.content import Ingest
from agent.engine.storage.layers import BlobRef, LayerRecord, chain

LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
_MEDIA_TYPES = {"": LAYER_TAR, "gzip": LAYER_GZIP, "zstd": LAYER_ZSTD}


_REFUSALS: dict[int, type[EngineError]] = {400: Invalid, 401: Unauthorized, 403: Denied, 404: NotFound}
_BLOCK = 1 << 18


async def download(registries: Registries, url: str, progress: Progress) -> AsyncIterator[bytes]:
    """The bytes behind an address; without a scheme it is http.

    Raises:
        Invalid, Unauthorized, Denied, NotFound, System: the server's refusal, or none answers.
    """
    place = _place(url)
    async with registries.transport(place.origin()) as transport:
        try:
            response = await transport.request("GET", place)
        except Unavailable as error:
            raise System(str(error)) from error
        async with response:
            if response.status >= HTTPStatus.BAD_REQUEST:
                words = (await read_whole(response, 1 << 16)).decode(errors="replace").strip()
                message = f"failed to GET {place} with status {response.status} {response.reason}: {words}"
                raise _REFUSALS.get(response.status, System)(message)
            progress({"status": f"Downloading from {place}"})
            meter = Meter(progress, "", "Importing", response.content_length or 0)
            current = 0
            try:
                async for data in response.content.iter_chunked(_BLOCK):
                    current += len(data)
                    meter.show(current)
                    yield data
            except (aiohttp.ClientError, TimeoutError) as error:
                raise System(f'Get "{place}": {error}') from error
            meter.show(current, last=True)


def _place(url: str) -> URL:
    """An address that can be asked.

    Raises:
        Invalid: it is none.
        System: of another scheme.
    """
    try:
        place = URL(url if "://" in url else f"http://{url}")
        place.origin()
    except ValueError as error:
        raise Invalid(f"parse {url!r}: {error}") from None
    if place.scheme not in {"http", "https"}:
        raise System(f'Get "{url}": unsupported protocol scheme "{place.scheme}"')
    return place


async def receive(chunks: AsyncIterable[bytes], blob: Ingest) -> bytes:
    """Write a stream into a blob; its first bytes."""
    head = b""
    async for chunk in chunks:
        if len(head) < LONGEST_MAGIC:
            head += chunk[:LONGEST_MAGIC]
        await asyncio.to_thread(blob.write, chunk)
    return head


async def layer_from_blob(ops: Ops, blob: Ingest, head: bytes, parent: str, diff_id: str | None = None) -> LayerRecord:
    """Unpack a received archive as a layer on top of ``parent`` and keep the archive as its blob.

    Raises:
        Invalid: no archive, a hostile one, or not of this diff id.
        NoSpace, System: the disk or kernel refused. Nothing is left behind.
    """
    folder = ops.layers.scratch()
    try:
        with blob.path.open("rb") as source:
            done = await unpack(source.fileno(), folder, marks_as_files=ops.layers.marks.files, limits=ops.limits)
        if diff_id is not None and done.digest != diff_id:
            raise Invalid(f"layer content does not match its digest: is {done.digest}, should be {diff_id}")
        async with ops.busy.hold(chain(parent, done.digest)):
            media_type = _MEDIA_TYPES.get(recognise(head))
            kept = None
            if media_type is not None:
                digest = await asyncio.to_thread(blob.commit)
                kept = BlobRef(digest, blob.size, media_type)
            return await ops.layers.adopt(folder, diff_id=done.digest, parent=parent, size=done.size, blob=kept)
    except BaseException:
        ops.layers.discard(folder)
        raise


async def import_image(
    ops: Ops,
    chunks: AsyncIterable[bytes],
    *,
    name: Reference | None,
    change: Callable[[Json], Json],
    message: str = "",
) -> ImageRecord:
    """Read a tar, plain or packed, and make it an image.

    Args:
        chunks: the archive.
        name: what to call the image; without a tag it becomes ``latest``.
        change: the client's ``changes`` applied to an empty container config.
        message: the history's comment.

    Raises:
        Invalid: no archive, a hostile one, or an invalid change.
        NoSpace, System: the disk or kernel refused; no image was made.
    """
    config = change(dict(configs.EMPTY_CONTAINER_CONFIG))
    with ops.leases.hold() as lease, ops.content.ingest() as blob:
        head = await receive(chunks, blob)
        lease.add(blob.digest)
        try:
            layer = await layer_from_blob(ops, blob, head, "")
        except Invalid as error:
            raise Invalid(f"Error processing tar file(exit status 1): {error}") from error
        lease.add(layer.id)
        made = configs.derive(
            None, config=config, created_ns=time.time_ns(), diff_id=layer.diff_id, comment=message or "Imported from -"
        )
        record = await ops.create(made, names=[name.with_default_tag()] if name else [], lease=lease)
    if name:
        ops.tell("tag", record.id, name.with_default_tag().familiar, record)
    ops.tell("import", record.id, record.id, record)
    return record
