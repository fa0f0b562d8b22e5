"""Write an archive of images: ``docker save``.

It is an OCI layout that old clients can read too: ``index.json`` and ``oci-layout`` beside ``manifest.json``, blobs as
they are stored.
"""

import json
import tarfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.engine.errors import NotFound
from agent.engine.images import manifests, reference
from agent.engine.images.blobs import packed
from agent.engine.images.ops import Ops
from agent.engine.images.reference import Reference
from agent.engine.images.store import ImageRecord
from agent.engine.storage.content import digest_of
from agent.engine.storage.layers import BlobRef

_PIECE = 1 << 20
_OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class _Chosen:
    image: ImageRecord
    names: list[Reference] = field(default_factory=list)


def _choose(ops: Ops, refs: Sequence[str]) -> list[_Chosen]:
    """Images to save with the names to keep: by name without tag all its tags, by id no name.

    Raises:
        NotFound: one is not here.
    """
    chosen: dict[str, _Chosen] = {}
    for ref in refs:
        pairs: list[tuple[ImageRecord, Reference | None]] = []
        try:
            image = ops.store.find(ref)
            by_id = image.id.removeprefix("sha256:").startswith(ref.removeprefix("sha256:"))
            pairs = [(image, None if by_id else reference.parse(ref).with_default_tag())]
            name = None if by_id else reference.parse(ref)
        except NotFound:
            name = reference.parse(ref)
        if name is not None and not name.tag and not name.digest:
            named = sorted(record.id for record in ops.store.names if record.id.startswith(name.name + ":"))
            pairs = [(ops.store.images.get(ops.store.names.get(id_).image), reference.parse(id_)) for id_ in named]
        if not pairs:
            raise NotFound(f"No such image: {ref}")
        for image, given in pairs:
            entry = chosen.setdefault(image.id, _Chosen(image))
            if given is not None and given.tag and given not in entry.names:
                entry.names.append(given)
    return list(chosen.values())


def save(ops: Ops, refs: Sequence[str]) -> AsyncIterator[bytes]:
    """An archive of images. Names are looked up before the first byte.

    Raises:
        NotFound: an image is not here.
    """
    return _write(ops, _choose(ops, refs))


async def _write(ops: Ops, chosen: list[_Chosen]) -> AsyncIterator[bytes]:
    rows: list[dict[str, Any]] = []
    index: list[dict[str, Any]] = []
    repositories: dict[str, dict[str, str]] = {}
    written: set[str] = set()
    with ops.leases.hold() as lease:
        yield _header("blobs/", directory=True) + _header("blobs/sha256/", directory=True)
        for entry in chosen:
            lease.add(entry.image.id, *entry.image.chains, *entry.image.manifests)
            layers = [await packed(ops, chain_id, lease) for chain_id in entry.image.chains]
            body, media_type = _manifest(ops, entry.image, layers)
            for digest in (entry.image.id, *(layer.digest for layer in layers)):
                if digest not in written:
                    written.add(digest)
                    for chunk in _file(_blob(digest), ops.content.path(digest)):
                        yield chunk
            digest = digest_of(body)
            if digest not in written:
                written.add(digest)
                yield _whole(_blob(digest), body)
            rows.append(
                {
                    "Config": _blob(entry.image.id),
                    "RepoTags": [name.familiar for name in entry.names] or None,
                    "Layers": [_blob(layer.digest) for layer in layers],
                }
            )
            described = {"mediaType": media_type, "digest": digest, "size": len(body)}
            for name in entry.names:
                annotations = {"io.containerd.image.name": str(name), "org.opencontainers.image.ref.name": name.tag}
                index.append({**described, "annotations": annotations})
                if layers:
                    top = layers[-1].digest.removeprefix("sha256:")
                    repositories.setdefault(name.familiar_name, {})[name.tag] = top
            if not entry.names:
                index.append(described)
            ops.tell("save", entry.image.id, entry.image.id, entry.image)
    yield _whole("index.json", _json({"schemaVersion": 2, "mediaType": _OCI_INDEX, "manifests": index}))
    yield _whole("manifest.json", _json(rows))
    yield _whole("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    if repositories:
        yield _whole("repositories", _json(repositories))
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _manifest(ops: Ops, image: ImageRecord, layers: list[BlobRef]) -> tuple[bytes, str]:
    for digest in reversed(image.manifests):
        if ops.content.has(digest):
            body = ops.content.read(digest)
            kind = json.loads(body).get("mediaType") or manifests.OCI_MANIFEST
            parsed = manifests.parse(body, kind)
            if isinstance(parsed, manifests.Manifest) and [ref.digest for ref in parsed.layers] == [
                layer.digest for layer in layers
            ]:
                return body, kind
    return manifests.encode(BlobRef(image.id, ops.content.size(image.id), ""), layers)


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _header(name: str, size: int = 0, *, directory: bool = False) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o755 if directory else 0o644
    if directory:
        member.type = tarfile.DIRTYPE
    return member.tobuf(tarfile.PAX_FORMAT)


def _whole(name: str, body: bytes) -> bytes:
    return _header(name, len(body)) + body + b"\0" * (-len(body) % tarfile.BLOCKSIZE)


def _file(name: str, path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    yield _header(name, size)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
    if size % tarfile.BLOCKSIZE:
        yield b"\0" * (-size % tarfile.BLOCKSIZE)
