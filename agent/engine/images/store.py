"""Records of images and of their names, and how a client's words find one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agent.engine.errors import Invalid, NotFound
from agent.engine.images import reference
from agent.engine.images.reference import Reference
from agent.engine.state.db import Database, Statement
from agent.engine.state.repository import Repository

_ID = re.compile(r"(?:sha256:)?([a-f0-9]{64})")
_SHORT_ID = re.compile(r"(?:sha256:)?([a-f0-9]{1,64})")


class ImageRecord(msgspec.Struct, frozen=True):
    """``id`` is the digest of the configuration, whose exact bytes lie in the content store."""

    id: str
    config: dict[str, Any]
    chains: tuple[str, ...] = ()
    """Chain ids of the layers, bottom first."""
    size: int = 0
    parent: str = ""
    """The image that this one was committed or built from, on this engine."""
    manifests: tuple[str, ...] = ()
    """Digests of stored manifests that this image came with; a push sends the same bytes."""
    tagged_ns: int = 0


class NameRecord(msgspec.Struct, frozen=True):
    """``id`` is the full name with a tag or a digest."""

    id: str
    image: str


@dataclass(frozen=True, slots=True)
class Image:
    """One image as other services see it."""

    id: str
    config: dict[str, Any]
    """The image's configuration document."""
    chain_id: str
    """Of the topmost layer; empty for none."""
    size: int
    repo_tags: list[str] = field(default_factory=list)
    repo_digests: list[str] = field(default_factory=list)
    parent: str = ""
    chains: tuple[str, ...] = ()
    tagged_ns: int = 0

    @property
    def created(self) -> str:
        """RFC 3339, as the configuration says it."""
        return self.config.get("created") or ""

    @property
    def defaults(self) -> dict[str, Any]:
        """``config.config``: what a container takes from the image."""
        return self.config.get("config") or {}

    @property
    def labels(self) -> dict[str, str]:
        return self.defaults.get("Labels") or {}


class ImageStore:
    """Both repositories, kept consistent: a name and its image are written in one transaction."""

    def __init__(self, database: Database) -> None:
        self.images: Repository[ImageRecord] = Repository(database, "image", ImageRecord)
        self.names: Repository[NameRecord] = Repository(database, "name", NameRecord)

    def find(self, ref: str) -> ImageRecord:
        """The image that a client means: by id, name, or the beginning of an id, in dockerd's order.

        Raises:
            NotFound: ``No such image: …``.
            Invalid: neither an id nor a name, or the beginning of several ids.
        """
        if match := _ID.fullmatch(ref):
            record = self.images.find("sha256:" + match[1])
            if record is None:
                raise NotFound(f"No such image: {ref}")
            return record
        short = _SHORT_ID.fullmatch(ref)
        if short and ref.startswith("sha256:"):
            return self._by_prefix(ref, short[1], ref)
        name = reference.parse(ref)
        if name.digest and (record := self.images.find(name.digest)) is not None:
            return record
        name = name.with_default_tag()
        if (found := self.by_name(name)) is not None:
            return found
        if short:
            return self._by_prefix(ref, short[1], name.familiar)
        raise NotFound(f"No such image: {name.familiar}")

    def by_name(self, name: Reference) -> ImageRecord | None:
        """The image of exactly this name; where tag and digest are given the digest decides."""
        key = str(name.with_digest(name.digest)) if name.digest else str(name)
        known = self.names.find(key)
        return self.images.find(known.image) if known else None

    def names_of(self, image_id: str) -> list[Reference]:
        """Every name of an image, sorted."""
        found = (reference.parse(name.id) for name in self.names if name.image == image_id)
        return sorted(found, key=str)

    def children(self, image_id: str) -> list[ImageRecord]:
        """Images committed or built from this one."""
        return [record for record in self.images if record.parent == image_id]

    def view(self, record: ImageRecord, names: Iterable[Reference] | None = None) -> Image:
        """The record as others see it."""
        given = self.names_of(record.id) if names is None else list(names)
        return Image(
            id=record.id,
            config=record.config,
            chain_id=record.chains[-1] if record.chains else "",
            size=record.size,
            repo_tags=[name.familiar for name in given if name.tag],
            repo_digests=[name.familiar for name in given if name.digest],
            parent=record.parent,
            chains=record.chains,
            tagged_ns=record.tagged_ns,
        )

    def view_all(self) -> list[Image]:
        """Every image, newest first."""
        names: dict[str, list[Reference]] = {}
        for name in self.names:
            names.setdefault(name.image, []).append(reference.parse(name.id))
        views = [self.view(record, sorted(names.get(record.id, ()), key=str)) for record in self.images]
        return sorted(views, key=lambda image: image.created, reverse=True)

    async def add(
        self, record: ImageRecord, names: Iterable[Reference] = (), also: Iterable[Statement] = ()
    ) -> ImageRecord:
        """Store an image with its names, all or nothing. A known image keeps what it had and gains the new."""
        if (known := self.images.find(record.id)) is not None:
            record = msgspec.structs.replace(
                known,
                manifests=tuple(dict.fromkeys((*known.manifests, *record.manifests))),
                tagged_ns=record.tagged_ns or known.tagged_ns,
                parent=known.parent or record.parent,
            )
        name_records = [NameRecord(str(name), record.id) for name in names]
        statements = [self.names.put(name) for name in name_records]
        await self.images.save(record, also=[*statements, *also])
        for name in name_records:
            self.names.hold(name)
        return record

    def _by_prefix(self, ref: str, prefix: str, shown: str) -> ImageRecord:
        found = [record for record in self.images if record.id.startswith("sha256:" + prefix)]
        if len(found) > 1:
            raise Invalid(f"multiple IDs found with provided prefix: {ref}")
        if not found:
            raise NotFound(f"No such image: {shown}")
        return found[0]
