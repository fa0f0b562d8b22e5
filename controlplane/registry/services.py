"""Changes to the registry's records; each is one transaction."""

import hashlib
import uuid
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controlplane.audit.services import entry_add
from controlplane.common.access import Actor
from controlplane.common.errors import Conflict
from controlplane.common.hints import changed
from controlplane.common.views import Note
from controlplane.registry import documents, selectors
from controlplane.registry.errors import RegistryError
from controlplane.registry.models import Blob, BlobLink, Manifest, Reference, Repository, Tag, Upload
from controlplane.registry.names import is_digest, is_tag


def upload_begin(*, name: str) -> Upload:
    """Begin an upload; the repository comes to be with its first."""
    found, _ = Repository.objects.get_or_create(name=name)
    return Upload.objects.create(repository=found)


def upload_grow(*, upload: Upload, part: dict[str, Any]) -> bool:
    """Add a part; False when another request added one meanwhile."""
    size = upload.size + part["size"]
    return upload.touch(size=size, parts=[*upload.parts, part], touched_at=timezone.now())


def upload_drop(*, upload: Upload) -> None:
    """Forget an upload."""
    upload.delete()


@transaction.atomic
def blob_take(*, upload: Upload, blob_id: uuid.UUID, digest: str, size: int) -> bool:
    """Record a finished blob and end its upload.

    Returns False when the blob was there already, and the new file is not needed.
    """
    blob, made = Blob.objects.get_or_create(
        digest=digest, defaults={"id": blob_id, "size": size, "used_at": timezone.now()}
    )
    if not made and not Blob.objects.filter(pk=blob.pk).update(used_at=timezone.now()):
        # The collector took the row between the two: this file is the blob now.
        blob, made = Blob.objects.create(id=blob_id, digest=digest, size=size, used_at=timezone.now()), True
    BlobLink.objects.get_or_create(repository=upload.repository, blob=blob)
    upload.delete()
    return made


@transaction.atomic
def blob_mount(*, name: str, digest: str, source: str) -> bool:
    """Link a blob of another repository; False if that one does not have it."""
    blob = Blob.objects.filter(digest=digest, links__repository__name=source).first()
    if blob is None or not Blob.objects.filter(pk=blob.pk).update(used_at=timezone.now()):
        return False
    target, _ = Repository.objects.get_or_create(name=name)
    BlobLink.objects.get_or_create(repository=target, blob=blob)
    return True


def blob_touch(*, blob: Blob) -> None:
    """Note that a client was told that a blob is there.

    Raises:
        RegistryError: BLOB_UNKNOWN, the collector was first.
    """
    if not Blob.objects.filter(pk=blob.pk).update(used_at=timezone.now()):
        raise RegistryError("BLOB_UNKNOWN", "blob unknown to registry", detail=blob.digest)


def blob_unlink(*, name: str, digest: str) -> None:
    """Take a blob from a repository; its bytes go when nothing else needs them.

    Raises:
        RegistryError: it is unknown here, or a manifest of the repository needs it.
    """
    blob = selectors.blob(name, digest)
    if Reference.objects.filter(digest=digest, manifest__repository__name=name).exists():
        raise RegistryError("DENIED", "a manifest of this repository needs the blob", detail=digest, status=409)
    BlobLink.objects.filter(blob=blob, repository__name=name).delete()


def manifest_put(*, name: str, reference: str, content: bytes, content_type: str, pusher: Actor) -> Manifest:
    """Take a manifest under a tag or its digest.

    Raises:
        RegistryError: the document, the tag or the digest is wrong, or something that it names is not there.
    """
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if ":" in reference:
        if not is_digest(reference):
            raise RegistryError("DIGEST_INVALID", "provided digest is not a sha256 digest", detail=reference)
        if reference != digest:
            raise RegistryError("DIGEST_INVALID", "provided digest did not match uploaded content", detail=digest)
    elif not is_tag(reference):
        raise RegistryError("TAG_INVALID", "tag name invalid", detail=reference)
    document = documents.read(content, content_type)
    with transaction.atomic():
        repository, _ = Repository.objects.get_or_create(name=name)
        _require(repository, document)
        manifest = _stored(repository, digest, document, content, pusher.name)
        if ":" not in reference:
            Tag.objects.update_or_create(
                repository=repository,
                name=reference,
                defaults={"manifest": manifest, "pushed_at": timezone.now(), "pushed_by": pusher.name},
            )
        _touched(repository, pushed_at=timezone.now(), pushed_by=pusher.name)
        details = {"reference": reference, "digest": digest}
        note = Note("repository", str(repository.pk), repository.name, details=details)
        entry_add(access=None, actor=pusher, action="repository.push", note=note)
    return manifest


def _require(repository: Repository, document: documents.Document) -> None:
    """Everything that is named must be in this repository; its blobs are marked as used, which the collector heeds."""
    held = BlobLink.objects.filter(repository=repository, blob__digest__in=document.blobs)
    sizes = dict(held.values_list("blob__digest", "blob__size"))
    for digest, size in document.blobs.items():
        if digest not in sizes:
            raise RegistryError("MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", detail=digest)
        if sizes[digest] != size:
            raise RegistryError("SIZE_INVALID", f"blob has {sizes[digest]} bytes, the manifest says {size}")
    if Blob.objects.filter(digest__in=document.blobs).update(used_at=timezone.now()) != len(document.blobs):
        raise RegistryError("MANIFEST_BLOB_UNKNOWN", "a blob was removed meanwhile")
    known = set(
        Manifest.objects.filter(repository=repository, digest__in=document.manifests).values_list("digest", flat=True)
    )
    for digest in document.manifests:
        if digest not in known:
            raise RegistryError("MANIFEST_BLOB_UNKNOWN", "manifest unknown to registry", detail=digest)


def _stored(
    repository: Repository, digest: str, document: documents.Document, content: bytes, pushed_by: str
) -> Manifest:
    manifest, made = Manifest.objects.get_or_create(
        repository=repository,
        digest=digest,
        defaults={
            "media_type": document.media_type,
            "artifact_type": document.artifact_type[:255],
            "subject": document.subject,
            "annotations": document.annotations,
            "content": content,
            "size": len(content),
            "total_size": document.total_size + len(content),
            "pushed_by": pushed_by,
        },
    )
    if made:
        named = [*document.blobs, *document.manifests]
        Reference.objects.bulk_create(Reference(manifest=manifest, digest=each) for each in named)
    return manifest


def manifest_delete(*, name: str, reference: str) -> None:
    """Remove a tag, or a manifest with all its tags, as the wire names them.

    Raises:
        RegistryError: MANIFEST_UNKNOWN; or DENIED, an index of the repository names the manifest.
    """
    if ":" not in reference:
        tag = Tag.objects.filter(repository__name=name, name=reference).select_related("repository").first()
        if tag is None:
            detail = {"name": name, "reference": reference}
            raise RegistryError("MANIFEST_UNKNOWN", "manifest unknown", detail=detail)
        tag_remove(tag=tag)
        return
    try:
        manifest_remove(manifest=selectors.manifest(name, reference))
    except Conflict as refused:
        raise RegistryError("DENIED", refused.detail, detail=reference, status=409) from None


@transaction.atomic
def tag_remove(*, tag: Tag) -> None:
    """Remove a tag; what it stood for stays."""
    tag.delete()
    _touched(tag.repository)


@transaction.atomic
def manifest_remove(*, manifest: Manifest) -> None:
    """Remove a manifest with its tags; its bytes go with the next collection.

    Raises:
        Conflict: an index of the repository names it.
    """
    repository = manifest.repository
    if Reference.objects.filter(digest=manifest.digest, manifest__repository=repository).exists():
        raise Conflict("An index of this repository names it: remove the index first", code="in_use")
    manifest.delete()
    _touched(repository)


def _touched(repository: Repository, **changes: Any) -> None:
    Repository.objects.filter(pk=repository.pk).update(version=F("version") + 1, **changes)
    changed(kind="repository", action="updated", ids=[repository.pk])


def pull_count(*, manifest: Manifest) -> None:
    """Count one pull."""
    Repository.objects.filter(pk=manifest.repository_id).update(pulls=F("pulls") + 1)
