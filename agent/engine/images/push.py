"""Send images to a registry: layers, configuration, then the manifest, so that no name leads to what is not there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from yarl import URL

from agent.engine.errors import Denied, Invalid, NotFound, Unauthorized, Unavailable
from agent.engine.images import manifests, reference
from agent.engine.images.blobs import packed
from agent.engine.images.fetch import pause_after
from agent.engine.images.manifests import Manifest
from agent.engine.images.ops import Ops
from agent.engine.images.progress import Meter, Progress, short, step
from agent.engine.images.reference import Reference
from agent.engine.images.store import ImageRecord
from agent.engine.images.together import together
from agent.engine.registry.client import Registries, Repository
from agent.engine.registry.keychain import Credentials
from agent.engine.storage.layers import BlobRef
from agent.engine.storage.leases import Lease

_ATTEMPTS = 5
_AT_ONCE = 3
_PIECE = 1 << 20
_ORIGINS_MAX = 5


async def push(
    ops: Ops, registries: Registries, name: str, tag: str, auth: Credentials | None, progress: Progress
) -> None:
    """See ``ImageService.push``."""
    repo = reference.parse(name)
    if repo.digest:
        raise Invalid("cannot push a digest reference")
    tag = tag or repo.tag
    progress({"status": f"The push refers to repository [{repo.name}]"})
    names = [repo.with_tag(tag)] if tag else _tags(ops, repo)
    found = [(named, image) for named in names if (image := ops.store.by_name(named)) is not None]
    if not found:
        raise NotFound(f"An image does not exist locally with the tag: {repo.familiar_name}")
    origins = sorted({origin for _, image in found for origin in _origins(ops, image, repo)})[:_ORIGINS_MAX]
    try:
        async with registries.open(repo.domain, repo.path, auth, "pull,push", tuple(origins)) as repository:
            for named, image in found:
                await _Push(ops, repository, progress, origins).run(named, image)
    except Denied as error:
        if str(error).startswith("denied"):
            raise Denied(f"denied: requested access to the resource is denied: {error}") from error
        raise


def _tags(ops: Ops, repo: Reference) -> list[Reference]:
    found = (reference.parse(record.id) for record in ops.store.names)
    return sorted((name for name in found if name.tag and name.name == repo.name), key=str)


def _origins(ops: Ops, image: ImageRecord, repo: Reference) -> set[str]:
    """Repositories of the same registry that hold some of the image's layers: a registry can mount from there."""
    mine = set(image.chains)
    found: set[str] = set()
    for record in ops.store.names:
        name = reference.parse(record.id)
        other = ops.store.images.find(record.image)
        if name.digest and name.domain == repo.domain and name.path != repo.path and other and mine & set(other.chains):
            found.add(name.path)
    return found


class _Push:
    """One image on its way to one repository."""

    def __init__(self, ops: Ops, repository: Repository, progress: Progress, origins: list[str]) -> None:
        self._ops, self._repository, self._progress, self._origins = ops, repository, progress, origins
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self, name: Reference, image: ImageRecord) -> None:
        """Send it all, then the manifest under the tag."""
        records = [self._ops.layers.records.get(chain_id) for chain_id in image.chains]
        for layer in reversed(records):
            self._progress(step(short(layer.diff_id), "Preparing"))
        with self._ops.leases.hold() as lease:
            lease.add(image.id, *image.chains, *image.manifests)
            body, media_type, blobs = await self._manifest(image, lease)
            pairs = reversed(list(zip(records, blobs, strict=True)))
            await together(self._layer(short(layer.diff_id), blob) for layer, blob in pairs)
            config = BlobRef(image.id, self._ops.content.size(image.id), "")
            await self._blob(config, None)
            await self._repository.put_manifest(name.tag, body, media_type)
            digest = await self._ops.content.put(body)
            lease.add(digest)
            async with self._ops.changing:
                if (known := self._ops.store.images.find(image.id)) is not None:
                    kept = ImageRecord(id=known.id, config=known.config, manifests=(digest,))
                    await self._ops.store.add(kept, [name.with_digest(digest)])
        self._progress({"status": f"{name.tag}: digest: {digest} size: {len(body)}"})
        self._progress({"progressDetail": {}, "aux": {"Tag": name.tag, "Digest": digest, "Size": len(body)}})
        self._ops.tell("push", name.familiar, name.familiar_name, image)

    async def _manifest(self, image: ImageRecord, lease: Lease) -> tuple[bytes, str, list[BlobRef]]:
        """The manifest that the image came with while its blobs are here, else one made of what is."""
        for digest in reversed(image.manifests):
            if not self._ops.content.has(digest):
                continue
            body = self._ops.content.read(digest)
            parsed = manifests.parse(body, manifests.OCI_MANIFEST if b"mediaType" not in body else "")
            if isinstance(parsed, Manifest) and all(self._ops.content.has(ref.digest) for ref in parsed.layers):
                lease.add(*(ref.digest for ref in parsed.layers))
                return body, parsed.media_type, list(parsed.layers)
        blobs = [await packed(self._ops, chain_id, lease) for chain_id in image.chains]
        config = BlobRef(image.id, self._ops.content.size(image.id), "")
        body, media_type = manifests.encode(config, blobs)
        return body, media_type, blobs

    async def _layer(self, id_: str, blob: BlobRef) -> None:
        if self._slots.locked():
            self._progress(step(id_, "Waiting"))
        async with self._slots:
            await self._blob(blob, id_)

    async def _blob(self, blob: BlobRef, id_: str | None) -> None:
        """Send one blob, unless the registry has it or can mount it."""

        def say(status: str) -> None:
            if id_ is not None:
                self._progress(step(id_, status))

        if await self._repository.has_blob(blob.digest):
            say("Layer already exists")
            return
        path = self._ops.content.path(blob.digest)
        meter = Meter(self._progress, id_, "Pushing", blob.size) if id_ is not None else None
        broken: URL | None = None
        for attempt in range(_ATTEMPTS):
            try:
                there = await self._repository.upload_so_far(broken) if broken is not None else None
                if there is not None and there[1] <= blob.size:
                    place, begin = there
                else:
                    origin = self._origins[0] if self._origins and id_ is not None and not attempt else ""
                    fresh = await self._repository.begin_upload(blob.digest if origin else "", origin)
                    if fresh is None:
                        say(f"Mounted from {origin}")
                        return
                    place, begin = fresh, 0
                broken = place
                if begin < blob.size or not begin:
                    pieces = _pieces(path, meter, begin)
                    place = await self._repository.send_chunk(place, pieces, begin, blob.size)
                await self._repository.finish_upload(place, blob.digest)
                say("Pushed")
                return
            except (Unavailable, Unauthorized) as error:
                if attempt == _ATTEMPTS - 1 or (isinstance(error, Unauthorized) and attempt):
                    raise
                await asyncio.sleep(pause_after(error, attempt))
                await self._repository.ping()


async def _pieces(path: Path, meter: Meter | None, begin: int) -> AsyncIterator[bytes]:
    sent = begin
    with path.open("rb") as file:
        file.seek(begin)
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
            sent += len(piece)
            if meter is not None:
                meter.show(sent)
