"""Read an archive of images: ``docker load``.

Taken are an OCI layout, with ``manifest.json`` or without, and the older folders of ``layer.tar``. Names in the archive
are looked up in the archive itself; none becomes a path of the host.
"""

import asyncio
import json
import posixpath
import tarfile
from collections.abc import AsyncIterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from agent.engine.errors import Invalid
from agent.engine.images import configs, manifests, reference
from agent.engine.images.importing import layer_from_blob, receive
from agent.engine.images.manifests import Manifest
from agent.engine.images.ops import Ops
from agent.engine.images.progress import Meter, Progress, short
from agent.engine.images.reference import Reference
from agent.engine.storage.compression import CorruptStream, inflated, recognise
from agent.engine.storage.content import DOCUMENT_LIMIT, Ingest
from agent.engine.storage.faults import kernel_errors
from agent.engine.storage.layers import chains
from agent.engine.storage.leases import Lease

_ENTRIES_MAX = 100_000
_LINKS_MAX = 8
_PIECE = 1 << 20
_HEADER_MAX = 1 << 20
_META = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)
_NAME_KEYS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


@dataclass(frozen=True, slots=True)
class _Image:
    """One image of the archive: names of its members."""

    config: str
    layers: list[str]
    names: list[Reference]


async def load(ops: Ops, chunks: AsyncIterable[bytes], progress: Progress) -> None:
    """Make every image of the archive an image here.

    Raises:
        Invalid: no archive of images, or one that contradicts itself. Images before the bad one stay.
        NoSpace, System: the disk or kernel refused.
    """
    with ops.content.ingest() as received, ops.leases.hold() as lease:
        head = await receive(chunks, received)
        with ops.content.ingest() as plain:
            whole = received
            if recognise(head):
                await asyncio.to_thread(_inflate, received, plain, ops.limits.bytes)
                whole = plain
            with whole.path.open("rb") as file:
                archive = await asyncio.to_thread(_Archive, file)
                for image in archive.images():
                    await _load(ops, archive, image, lease, progress)


def _inflate(source: Ingest, target: Ingest, limit: int) -> None:
    with source.path.open("rb") as file:
        try:
            for piece in inflated(file.read):
                if target.size + len(piece) > limit:
                    raise Invalid(f"the archive is larger than {limit} bytes unpacked")
                target.write(piece)
        except CorruptStream as error:
            raise Invalid(str(error)) from error


class _Member(tarfile.TarInfo):
    """A header that is refused before its payload is read into memory."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_Member":
        """The next header. TarFile takes a damaged one for the end of the archive; here it is an error."""
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError, tarfile.SubsequentHeaderError) as error:  # type: ignore[attr-defined]
            raise Invalid("invalid archive: archive/tar: invalid tar header") from error
        except (RecursionError, ValueError, UnicodeError, OverflowError) as error:
            raise Invalid(f"invalid archive: archive/tar: invalid tar header: {error}") from None

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.size < 0:
            raise Invalid("invalid archive: archive/tar: invalid tar header: negative size")
        if self.type in _META and self.size > _HEADER_MAX:
            raise Invalid(f"invalid archive: a header of {self.size} bytes: more than {_HEADER_MAX}")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Archive:
    """Members by name. Blocking while it is made."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._members: dict[str, tarfile.TarInfo] = {}
        try:
            with tarfile.open(fileobj=file, mode="r:", tarinfo=_Member, errors="surrogateescape") as archive:
                for member in archive:
                    if len(self._members) >= _ENTRIES_MAX:
                        raise Invalid(f"the archive has more than {_ENTRIES_MAX} entries")
                    self._members[posixpath.normpath(member.name)] = member
        except (tarfile.TarError, EOFError) as error:
            raise Invalid(f"invalid archive: {error}") from error

    def find(self, name: str) -> tarfile.TarInfo:
        """A file of the archive, through links that stay in it.

        Raises:
            Invalid: there is none.
        """
        path = posixpath.normpath(name)
        for _ in range(_LINKS_MAX):
            member = self._members.get(path)
            if path.startswith(("/", "..")) or member is None:
                break
            if member.isreg():
                return member
            if not member.issym():
                break
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
        raise Invalid(f"invalid archive: {name[:200]!r} is no file in it")

    def has(self, name: str) -> bool:
        """The archive has an entry of this name."""
        return name in self._members

    def read(self, name: str) -> bytes:
        """A document."""
        member = self.find(name)
        if member.size > DOCUMENT_LIMIT:
            raise Invalid(f"invalid archive: {name[:200]!r} has {member.size} bytes")
        return b"".join(self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        """A file's bytes. Blocking."""
        member = self.find(name)
        if member.issparse():
            raise Invalid(f"invalid archive: {name[:200]!r} is sparse")
        self._file.seek(member.offset_data)
        left = member.size
        while left:
            piece = self._file.read(min(left, _PIECE))
            if not piece:
                raise Invalid("invalid archive: unexpected EOF")
            left -= len(piece)
            yield piece

    def images(self) -> list[_Image]:
        """What the archive holds.

        Raises:
            Invalid: nothing that we know.
        """
        if self.has("manifest.json"):
            return [_docker(row) for row in _list(_json(self.read("manifest.json")), "manifest.json")]
        if self.has("index.json"):
            return self._layout("index.json", "", [])
        raise Invalid("invalid archive: it has neither manifest.json nor index.json")

    def _layout(self, path: str, media_type: str, names: list[Reference], depth: int = 0) -> list[_Image]:
        """The images of an OCI layout's index."""
        if depth > 2:
            raise Invalid("invalid archive: indexes are nested too deeply")
        document = _json(self.read(path))
        if not isinstance(document, dict):
            raise Invalid(f"invalid archive: {path} is malformed")
        if depth and "manifests" in document:
            parsed = manifests.parse(self.read(path), media_type)
            assert not isinstance(parsed, Manifest)
            chosen = manifests.choose(parsed, manifests.parse_platform(""))
            return self._layout(_blob(chosen.digest), chosen.media_type, names, depth + 1)
        if "manifests" not in document:
            parsed = manifests.parse(self.read(path), media_type or manifests.OCI_MANIFEST)
            assert isinstance(parsed, Manifest)
            return [_Image(_blob(parsed.config.digest), [_blob(ref.digest) for ref in parsed.layers], names)]
        found: dict[str, _Image] = {}
        for row in _list(document["manifests"], path):
            if not isinstance(row, dict) or not isinstance(row.get("digest"), str):
                raise Invalid(f"invalid archive: {path} is malformed")
            for image in self._layout(_blob(row["digest"]), str(row.get("mediaType") or ""), _named(row), depth + 1):
                known = found.setdefault(image.config, image)
                known.names.extend(name for name in image.names if name not in known.names)
        return list(found.values())


async def _load(ops: Ops, archive: _Archive, image: _Image, lease: Lease, progress: Progress) -> None:
    raw = archive.read(image.config)
    _, diff_ids = configs.parse_config(raw)
    if len(diff_ids) != len(image.layers):
        raise Invalid(f"invalid manifest, layers length mismatch: expected {len(image.layers)}, got {len(diff_ids)}")
    stack = chains(diff_ids)
    lease.add(*stack)
    for index, (name, diff_id) in enumerate(zip(image.layers, diff_ids, strict=True)):
        if ops.layers.has(stack[index]):
            continue
        size = archive.find(name).size
        meter = Meter(progress, short(diff_id), "Loading layer", size)
        with ops.content.ingest() as blob:
            head = await asyncio.to_thread(_copy, archive, name, blob)
            lease.add(blob.digest)
            meter.show(size, last=True)
            await layer_from_blob(ops, blob, head, stack[index - 1] if index else "", diff_id)
    record = await ops.register(raw, names=image.names, lease=lease)
    for tag in image.names:
        progress({"stream": f"Loaded image: {tag.familiar}\n"})
    if not image.names:
        progress({"stream": f"Loaded image ID: {record.id}\n"})
    ops.tell("load", record.id, record.id, record)


def _copy(archive: _Archive, name: str, blob: Ingest) -> bytes:
    head = b""
    with kernel_errors("reading the archive"):
        for piece in archive.pieces(name):
            head = head or piece[:16]
            blob.write(piece)
    return head


def _docker(row: Any) -> _Image:
    if not isinstance(row, dict) or not isinstance(row.get("Config"), str):
        raise Invalid("invalid archive: manifest.json is malformed")
    layers = [str(name) for name in _list(row.get("Layers") or [], "manifest.json")]
    names = [reference.parse(str(tag)).with_default_tag() for tag in _list(row.get("RepoTags") or [], "manifest.json")]
    return _Image(row["Config"], layers, names)


def _named(row: dict[str, Any]) -> list[Reference]:
    annotations = row.get("annotations")
    for key in _NAME_KEYS:
        text = annotations.get(key) if isinstance(annotations, dict) else None
        if isinstance(text, str) and ("/" in text or ":" in text):
            try:
                return [reference.parse(text).with_default_tag()]
            except Invalid:
                continue
    return []


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"invalid archive: {error}") from None


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(f"invalid archive: {where} is malformed")
    return value
