"""Fetch an image from a registry.

The manifest first: what does not exist is refused before anything is said. Then the layers, three downloads and two
unpackings at once. Blobs and layers are kept by digest as they are verified, so a broken pull is
cheap to repeat; the image and its names appear in one transaction at the end, so there is nothing to undo.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.engine.errors import Denied, Invalid, NotFound
from agent.engine.images import configs, manifests, reference
from agent.engine.images.early import WORTH_IT, Early
from agent.engine.images.fetch import fetch
from agent.engine.images.manifests import Manifest, Platform
from agent.engine.images.ops import Ops
from agent.engine.images.progress import Progress, short, step
from agent.engine.images.reference import Reference
from agent.engine.images.store import ImageRecord
from agent.engine.images.unpack import Unpacked, unpack
from agent.engine.kernel.failpoints import failpoint
from agent.engine.registry.client import Fetched, Registries, Repository
from agent.engine.registry.keychain import Credentials
from agent.engine.storage.content import DIGEST, DOCUMENT_LIMIT, digest_of
from agent.engine.storage.layers import BlobRef, chains
from agent.engine.storage.leases import Lease

_AT_ONCE = 3
_UNPACKED_AT_ONCE = 2
_INDEX_DEPTH = 2


@dataclass(frozen=True, slots=True)
class _Found:
    """What a name led to: the digest that the name stands for, and the manifest of this platform with its bytes."""

    digest: str
    manifest: Manifest
    body: bytes


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer to bring here, and its place in the stack."""

    ref: BlobRef
    diff_id: str
    chain_id: str
    parent: str


class Puller:
    """Pulls, with downloads bounded over all of them."""

    def __init__(self, ops: Ops, registries: Registries) -> None:
        self._ops, self._registries = ops, registries
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._unpacking = asyncio.Semaphore(_UNPACKED_AT_ONCE)

    async def pull(
        self,
        ref: str,
        platform: str,
        auth: Credentials | None,
        progress: Progress,
    ) -> ImageRecord:
        """See ``ImageService.pull``."""
        name = reference.parse(ref).with_default_tag()
        wanted = manifests.parse_platform(platform)
        async with self._registries.open(name.domain, name.path, auth) as repository:
            found = await _resolve(repository, name, wanted)
            failpoint("pull.manifest")
            progress({"status": f"Pulling from {name.path}", "id": name.digest or name.tag})
            before = self._ops.store.by_name(name)
            with self._ops.leases.hold() as lease:
                raw, diff_ids = await self._config(repository, found.manifest, lease)
                await self._layers(repository, found.manifest, diff_ids, lease, progress)
                kept = await self._ops.content.put(found.body)
                names = [name.with_digest(found.digest), *([name] if name.tag and not name.digest else [])]
                record = await self._ops.register(raw, names=names, manifests=(kept,), lease=lease)
        failpoint("pull.named")
        progress({"status": f"Digest: {found.digest}"})
        fresh = before is None or before.id != record.id
        words = "Downloaded newer image" if fresh else "Image is up to date"
        progress({"status": f"Status: {words} for {name.familiar}"})
        self._ops.tell("pull", name.familiar, name.familiar_name, record)
        return record

    async def describe(self, ref: str, auth: Credentials | None) -> dict[str, Any]:
        """Docker's DistributionInspect.

        Raises:
            NotFound: the registry has no such image or tag.
        """
        name = reference.parse(ref).with_default_tag()
        async with self._registries.open(name.domain, name.path, auth) as repository:
            fetched = await _manifest(repository, name)
            parsed = manifests.parse(fetched.body, fetched.media_type)
            if isinstance(parsed, Manifest):
                await fetch(repository, parsed.config, self._ops.content, _silent)
                config, _ = configs.parse_config(self._ops.content.read(parsed.config.digest))
                keys = ("os", "architecture", "variant")
                platforms = [{key: str(config[key]) for key in keys if config.get(key)}]
            else:
                platforms = [entry.platform.as_dict() for entry in parsed if entry.platform is not None]
        descriptor = {
            "mediaType": fetched.media_type,
            "digest": digest_of(fetched.body),
            "size": len(fetched.body),
        }
        return {"Descriptor": descriptor, "Platforms": platforms}

    async def _config(self, repository: Repository, manifest: Manifest, lease: Lease) -> tuple[bytes, list[str]]:
        ref = manifest.config
        if ref.size > DOCUMENT_LIMIT:
            raise Invalid(f"the image's configuration has {ref.size} bytes, more than {DOCUMENT_LIMIT}")
        lease.add(ref.digest)
        async with self._ops.busy.hold(ref.digest):
            if not self._ops.content.has(ref.digest):
                await fetch(repository, ref, self._ops.content, _silent)
        raw = self._ops.content.read(ref.digest)
        config, diff_ids = configs.parse_config(raw)
        if config.get("os", "linux") != "linux":
            raise Invalid(f'image operating system "{config["os"]}" cannot be used on this platform')
        if len(diff_ids) != len(manifest.layers):
            raise Invalid(
                f"the image's configuration has {len(diff_ids)} layers, its manifest {len(manifest.layers)}: refused"
            )
        return raw, diff_ids

    async def _layers(
        self,
        repository: Repository,
        manifest: Manifest,
        diff_ids: list[str],
        lease: Lease,
        progress: Progress,
    ) -> None:
        stack = chains(diff_ids)
        lease.add(*stack, *(ref.digest for ref in manifest.layers))
        missing: list[int] = []
        for index, (ref, chain_id) in enumerate(zip(manifest.layers, stack, strict=True)):
            known = self._ops.layers.records.find(chain_id)
            progress(step(short(ref.digest), "Pulling fs layer" if known is None else "Already exists"))
            if known is None:
                missing.append(index)
            elif self._ops.content.has(ref.digest):
                await self._ops.layers.add_blob(known, ref)
        tasks: list[asyncio.Task[None]] = []
        for index in missing:
            layer = _Layer(manifest.layers[index], diff_ids[index], stack[index], stack[index - 1] if index else "")
            below = tasks[-1] if tasks else None
            tasks.append(asyncio.create_task(self._layer(repository, layer, below, progress)))
        try:
            # In order: what lies below a bad layer is kept for the next attempt.
            for task in tasks:
                await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _download(self, repository: Repository, layer: _Layer, early: "_Unpacking", progress: Progress) -> None:
        """Bring the layer's blob here, and unpack it on the way where nobody else is at work on the layer."""
        ref, ops = layer.ref, self._ops
        async with ops.busy.hold(ref.digest):
            if ops.content.has(ref.digest):
                progress(step(short(ref.digest), "Download complete"))
                return
            if self._slots.locked():
                progress(step(short(ref.digest), "Waiting"))
            async with self._slots:
                free = not (ops.busy.held(layer.chain_id) or ops.layers.has(layer.chain_id))
                if ref.size >= WORTH_IT and free:
                    # It is free at this moment, so this waits for nobody while the download is held.
                    await early.own(layer.chain_id)
                    await fetch(repository, ref, ops.content, progress, early.early)
                else:
                    await fetch(repository, ref, ops.content, progress)

    async def _layer(
        self, repository: Repository, layer: _Layer, below: asyncio.Task[None] | None, progress: Progress
    ) -> None:
        """Download and unpack, two at once; become a layer only once all below is one.

        Locks are held while waiting for what lies below, never for what lies above: no two pulls wait for each other.
        """
        ops = self._ops
        async with _Unpacking(ops) as unpacking:
            await self._download(repository, layer, unpacking, progress)
            await unpacking.own(layer.chain_id)
            if ops.layers.has(layer.chain_id):
                await _done(below)
            else:
                size = await self._unpack(layer, unpacking, progress)
                failpoint("pull.unpacked")
                await _done(below)
                await ops.layers.adopt(
                    unpacking.folder, diff_id=layer.diff_id, parent=layer.parent, size=size, blob=layer.ref
                )
        failpoint("pull.layer")
        progress(step(short(layer.ref.digest), "Pull complete"))

    async def _unpack(self, layer: _Layer, unpacking: "_Unpacking", progress: Progress) -> int:
        detail = {"current": layer.ref.size, "total": layer.ref.size}
        extracting = {"status": "Extracting", "progressDetail": detail, "id": short(layer.ref.digest)}
        try:
            if unpacking.begun:
                progress(extracting)
                done = await unpacking.early.result()
            else:
                async with self._unpacking:
                    progress(extracting)
                    with self._ops.content.path(layer.ref.digest).open("rb") as source:
                        done = await unpacking.work(source.fileno())
        except Invalid as error:
            raise Invalid(f"failed to register layer: {error}") from error
        if done.digest != layer.diff_id:
            raise Invalid(
                f"failed to register layer: {layer.ref.digest} unpacks to {done.digest}, "
                f"its image says {layer.diff_id}: refused"
            )
        return done.size


class _Unpacking:
    """A layer's lock, and the folders that it is unpacked into: thrown away unless one becomes the layer."""

    def __init__(self, ops: Ops) -> None:
        self._ops = ops
        self._lock = AsyncExitStack()
        self._owned = False
        self._folder: Path | None = None
        self.early = Early(self.work)

    async def __aenter__(self) -> "_Unpacking":
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.early.drop()
        finally:
            self._discard()
            await self._lock.aclose()

    @property
    def begun(self) -> bool:
        """It was begun early, and has not been dropped."""
        return self.early.begun

    async def own(self, chain_id: str) -> None:
        """Take the layer's lock, unless it is ours already."""
        if not self._owned:
            await self._lock.enter_async_context(self._ops.busy.hold(chain_id))
            self._owned = True

    async def work(self, source: int, more: int = -1) -> Unpacked:
        """Unpack into a fresh folder."""
        self._discard()
        self._folder = self._ops.layers.scratch()
        files = self._ops.layers.marks.files
        return await unpack(source, self._folder, marks_as_files=files, limits=self._ops.limits, more=more)

    @property
    def folder(self) -> Path:
        """What was unpacked last."""
        assert self._folder is not None
        return self._folder

    def _discard(self) -> None:
        if self._folder is not None:
            # Nothing is there once it has become the layer.
            self._ops.layers.discard(self._folder)
            self._folder = None


async def _done(below: asyncio.Task[None] | None) -> None:
    """Wait for another layer, and fail as it did. Being cancelled here does not cancel the other."""
    if below is not None:
        await asyncio.wait([below])
        below.result()


async def _resolve(repository: Repository, name: Reference, wanted: Platform) -> _Found:
    """From a name to the manifest for the platform, through at most two indexes.

    Raises:
        NotFound: in dockerd's words, which clients look for.
    """
    fetched = await _manifest(repository, name)
    digest = digest_of(fetched.body)
    if name.digest and digest != name.digest:
        raise Invalid(f"manifest verification failed for digest {name.digest}")
    seen = {digest}
    for _ in range(_INDEX_DEPTH + 1):
        parsed = manifests.parse(fetched.body, fetched.media_type)
        if isinstance(parsed, Manifest):
            return _Found(digest, parsed, fetched.body)
        chosen = manifests.choose(parsed, wanted)
        if chosen.digest in seen:
            raise Invalid("the index names itself: refused")
        seen.add(chosen.digest)
        fetched = await _by_digest(repository, chosen)
    raise Invalid(f"indexes are nested more than {_INDEX_DEPTH} deep: refused")


async def _manifest(repository: Repository, name: Reference) -> Fetched:
    ref = name.digest or name.tag
    try:
        fetched = await repository.manifest(ref)
    except NotFound as error:
        raise NotFound(f"manifest for {name.familiar} not found: {error}") from error
    except Denied as error:
        if not str(error).startswith("denied"):
            raise
        why = "repository does not exist or may require 'docker login'"
        raise NotFound(f"pull access denied for {name.familiar_name}, {why}: {error}") from error
    digest = digest_of(fetched.body)
    if DIGEST.fullmatch(fetched.named) and fetched.named != digest:
        raise Invalid(f"the registry calls its manifest {fetched.named}, but it is {digest}: refused")
    return fetched


async def _by_digest(repository: Repository, ref: BlobRef) -> Fetched:
    fetched = await repository.manifest(ref.digest)
    if digest_of(fetched.body) != ref.digest or len(fetched.body) != ref.size:
        raise Invalid(f"manifest verification failed for digest {ref.digest}")
    return fetched


def _silent(_: object) -> None:
    """Progress of what clients are not told about."""
