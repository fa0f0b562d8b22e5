"""Manifests as values: which documents are taken, and what they name. No IO.

Ambiguous documents are refused (CVE-2021-41190): the media type must be said, once and the same everywhere.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from controlplane.registry.errors import RegistryError
from controlplane.registry.names import is_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
LARGEST = 4 * 1024 * 1024
MOST_ENTRIES = 1000


@dataclass(frozen=True)
class Document:
    """What a manifest names."""

    media_type: str
    blobs: dict[str, int] = field(default_factory=dict)  # digest -> size
    manifests: dict[str, int] = field(default_factory=dict)
    subject: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def total_size(self) -> int:
        """Bytes of all that it names."""
        return sum(self.blobs.values()) + sum(self.manifests.values())


def read(content: bytes, content_type: str) -> Document:
    """Check a manifest.

    Raises:
        RegistryError: MANIFEST_INVALID, with the reason.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON") from None
    if not isinstance(data, dict):
        raise _invalid("it is no JSON object")
    media_type = content_type.partition(";")[0].strip().lower()
    if data.get("schemaVersion") != 2:
        raise _invalid("schemaVersion must be 2; schema 1 is not supported")
    if data.get("mediaType") != media_type:
        raise _invalid(f"its mediaType {data.get('mediaType')!r} is not the Content-Type {content_type!r}")
    if media_type in MANIFESTS:
        if "manifests" in data:
            raise _invalid("it has manifests and is no index")
        return _manifest(data, media_type)
    if media_type in INDEXES:
        if "layers" in data or "config" in data:
            raise _invalid("it is an index and has layers or a config")
        entries = _descriptors(data, "manifests")
        return Document(media_type, manifests=entries, **_common(data))
    raise _invalid(f"media type {media_type!r} is not supported")


def _manifest(data: dict[str, Any], media_type: str) -> Document:
    common = _common(data)
    config_digest, config_size = _descriptor(data.get("config"), "config")
    layers = _descriptors(data, "layers")
    if not common["artifact_type"]:
        common["artifact_type"] = str(data["config"].get("mediaType", ""))
    return Document(media_type, blobs={config_digest: config_size} | layers, **common)


def _common(data: dict[str, Any]) -> dict[str, Any]:
    annotations = data.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
        raise _invalid("annotations must be strings by name")
    subject = _descriptor(data["subject"], "subject")[0] if data.get("subject") is not None else ""
    return {"annotations": annotations, "subject": subject, "artifact_type": str(data.get("artifactType") or "")}


def _descriptors(data: dict[str, Any], name: str) -> dict[str, int]:
    entries = data.get(name)
    if not isinstance(entries, list):
        raise _invalid(f"{name} must be a list")
    if len(entries) > MOST_ENTRIES:
        raise _invalid(f"{name} has {len(entries)} entries, at most {MOST_ENTRIES} are taken")
    found = {}
    for entry in entries:
        digest, size = _descriptor(entry, name)
        # A foreign layer lies elsewhere and may be absent here.
        if not entry.get("urls"):
            found[digest] = size
    return found


def _descriptor(entry: Any, name: str) -> tuple[str, int]:
    if not isinstance(entry, dict):
        raise _invalid(f"{name} must be a descriptor")
    digest, size = entry.get("digest"), entry.get("size")
    if not isinstance(digest, str) or not is_digest(digest):
        raise _invalid(f"{name} has digest {digest!r}, not a sha256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 53:
        raise _invalid(f"{name} has size {size!r}")
    return digest, size


def _invalid(reason: str) -> RegistryError:
    return RegistryError("MANIFEST_INVALID", f"manifest invalid: {reason}")
