"""Manifests and indexes: read with suspicion, written plainly. Pure.

Source: OCI image spec ``manifest.md`` and ``image-index.md``, Docker's schema 2. A document that could be read as two
kinds (CVE-2021-41190) is refused. A layer's ``urls`` are ignored: it comes from the registry or not at all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.engine.errors import Invalid, NotFound
from agent.engine.images.configs import Json, architecture, parse_document
from agent.engine.storage.content import DIGEST
from agent.engine.storage.layers import BlobRef

INDEXES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANIFESTS = frozenset({DOCKER_MANIFEST, OCI_MANIFEST})
_SCHEMA1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
_CONFIGS = frozenset(
    {
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/octet-stream",
        "text/html",
    }
)
_ENTRIES_MAX = 1000
_LAYER_BYTES_MAX = 1 << 40


@dataclass(frozen=True, slots=True)
class Platform:
    """``os/architecture[/variant]``."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def as_dict(self) -> dict[str, str]:
        """As an index says it."""
        named = {"architecture": self.architecture, "os": self.os, "variant": self.variant}
        return {key: value for key, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image: its configuration and its layers, bottom first."""

    media_type: str
    config: BlobRef
    layers: tuple[BlobRef, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One manifest that an index names."""

    ref: BlobRef
    platform: Platform | None


_NAMES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm", "armel": "arm"}


def parse_platform(text: str) -> Platform:
    """A client's ``os/arch[/variant]``, ``arch`` or ``os``; empty for this host's.

    Raises:
        Invalid: it is none.
    """
    if not text:
        return Platform("linux", architecture())
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(
        part and part.replace("_", "").replace("-", "").replace(".", "").isalnum() for part in parts
    ):
        raise Invalid(f'"{text}" is an invalid component: platform specifier must be os[/arch[/variant]]')
    if len(parts) == 1:
        known = {"amd64", "arm64", "386", "arm", "ppc64le", "s390x", "riscv64", *_NAMES}
        parts = ["linux", parts[0]] if parts[0] in known else [parts[0], architecture()]
    parts[1] = _NAMES.get(parts[1], parts[1])
    if parts[0] not in _SYSTEMS:
        raise Invalid(f'"{text}": unknown operating system or architecture: invalid argument')
    return Platform(*parts)


_SYSTEMS = frozenset({"linux", "windows", "darwin", "freebsd", "openbsd", "netbsd", "solaris", "android"})


def check_platform(text: str, ref: str, config: Json) -> None:
    """An image that is here is of the platform that a container was asked for.

    Args:
        text: the client's; empty: any will do.
        ref: what the client calls the image.
        config: the image's.

    Raises:
        NotFound: it is of another; clients take it for a sign to pull.
        Invalid: the text names no platform.
    """
    if not text:
        return
    wanted = parse_platform(text)
    names = (str(config.get(key) or "") for key in ("os", "architecture", "variant"))
    found = Platform(*names)
    same = (found.os, found.architecture) == (wanted.os, wanted.architecture)
    if not same or (wanted.variant and found.variant and wanted.variant != found.variant):
        raise NotFound(
            f"image with reference {ref} was found but its platform ({found}) does not match the specified platform "
            f"({wanted})"
        )


def parse(body: bytes, media_type: str) -> Manifest | tuple[Entry, ...]:
    """A manifest, or the entries of an index.

    Args:
        media_type: the Content-Type that it came with, or the descriptor's.

    Raises:
        Invalid: unsupported, ambiguous or malformed.
    """
    document = parse_document(body, "manifest")
    own = document.get("mediaType")
    kind = own if isinstance(own, str) and own else media_type
    if media_type in MANIFESTS | INDEXES and kind != media_type:
        raise Invalid(f"manifest says {kind!r}, the registry says {media_type!r}: refused")
    if document.get("schemaVersion") == 1 or kind in _SCHEMA1:
        raise Invalid("manifest schema 1 is not supported: push the image anew with a current client")
    indexed, single = "manifests" in document, "layers" in document or "config" in document
    if indexed and single:
        raise Invalid("the manifest is both an index and an image: refused")
    if "fsLayers" in document or document.get("schemaVersion") != 2:
        raise Invalid("unsupported manifest schema version")
    if kind in INDEXES and indexed:
        return _entries(document)
    if kind in MANIFESTS and single:
        return _manifest(document, kind)
    raise Invalid(f"unsupported manifest media type: {kind[:200]!r}")


def _entries(document: Json) -> tuple[Entry, ...]:
    rows = document["manifests"]
    if not isinstance(rows, list) or len(rows) > _ENTRIES_MAX:
        raise Invalid(f"the index is malformed or has more than {_ENTRIES_MAX} manifests")
    return tuple(Entry(_descriptor(row), _platform(row)) for row in rows)


def _platform(row: Json) -> Platform | None:
    given = row.get("platform")
    if not isinstance(given, dict):
        return None
    return Platform(*(str(given.get(key) or "") for key in ("os", "architecture", "variant")))


def _manifest(document: Json, kind: str) -> Manifest:
    layers = document.get("layers")
    if not isinstance(layers, list):
        raise Invalid("the manifest has no list of layers")
    config = _descriptor(document.get("config"))
    if config.media_type not in _CONFIGS:
        raise Invalid(f"the manifest is not a container image's: its configuration is {config.media_type[:200]!r}")
    refs = tuple(_descriptor(row) for row in layers)
    return Manifest(kind, config, refs)


def _descriptor(row: Any) -> BlobRef:
    if not isinstance(row, dict):
        raise Invalid("the manifest is malformed: a descriptor is missing")
    digest, size, media_type = row.get("digest"), row.get("size"), row.get("mediaType")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise Invalid("the manifest is malformed: invalid or unsupported digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LAYER_BYTES_MAX:
        raise Invalid("the manifest is malformed: invalid size")
    if not isinstance(media_type, str):
        raise Invalid("the manifest is malformed: a descriptor has no media type")
    return BlobRef(digest, size, media_type)


def choose(entries: Sequence[Entry], wanted: Platform) -> BlobRef:
    """The manifest for a platform: of its variant if named, else the first of its architecture.

    Raises:
        NotFound: there is none.
    """
    fitting = [
        entry
        for entry in entries
        if entry.platform is not None
        and entry.platform.os == wanted.os
        and _NAMES.get(entry.platform.architecture, entry.platform.architecture) == wanted.architecture
        and (not wanted.variant or not entry.platform.variant or entry.platform.variant == wanted.variant)
    ]
    if not fitting:
        raise NotFound(f"no matching manifest for {wanted} in the manifest list entries")
    fitting.sort(key=lambda entry: entry.platform is not None and entry.platform.variant != wanted.variant)
    return fitting[0].ref


def encode(config: BlobRef, layers: Sequence[BlobRef]) -> tuple[bytes, str]:
    """A manifest of schema 2, or OCI's where a layer is of no type that schema 2 has; with its media type."""
    docker = all(layer.media_type.endswith((".diff.tar.gzip", "+gzip")) for layer in layers)
    kind = DOCKER_MANIFEST if docker else OCI_MANIFEST
    document = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json"
            if docker
            else "application/vnd.oci.image.config.v1+json",
            "size": config.size,
            "digest": config.digest,
        },
        "layers": [
            {"mediaType": _layer_type(layer.media_type, docker), "size": layer.size, "digest": layer.digest}
            for layer in layers
        ],
    }
    return json.dumps(document, indent=3).encode(), kind


def _layer_type(media_type: str, docker: bool) -> str:
    if docker:
        return "application/vnd.docker.image.rootfs.diff.tar.gzip"
    if media_type.endswith(".diff.tar.gzip"):
        return "application/vnd.oci.image.layer.v1.tar+gzip"
    return media_type
