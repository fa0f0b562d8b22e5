"""Questions to the registry's records."""

import uuid
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from controlplane.common.errors import NotFound
from controlplane.registry.errors import RegistryError
from controlplane.registry.models import Blob, BlobLink, Manifest, Repository, Tag, Upload
from controlplane.registry.names import is_digest


def repository(name: str) -> Repository:
    """A repository by name; raises RegistryError NAME_UNKNOWN."""
    found = Repository.objects.filter(name=name).first()
    if found is None:
        raise RegistryError("NAME_UNKNOWN", "repository name not known to registry", detail={"name": name})
    return found


def blob(name: str, digest: str) -> Blob:
    """A blob that the repository holds.

    Raises:
        RegistryError: DIGEST_INVALID, or BLOB_UNKNOWN whether it is nowhere or only elsewhere.
    """
    if not is_digest(digest):
        raise RegistryError("DIGEST_INVALID", "provided digest is not a sha256 digest", detail=digest)
    found = Blob.objects.filter(digest=digest, links__repository__name=name).first()
    if found is None:
        raise RegistryError("BLOB_UNKNOWN", "blob unknown to registry", detail=digest)
    return found


def manifest(name: str, reference: str) -> Manifest:
    """A manifest by tag or digest; raises RegistryError MANIFEST_UNKNOWN."""
    found = Manifest.objects.filter(repository__name=name)
    found = found.filter(digest=reference) if ":" in reference else found.filter(tags__name=reference)
    one = found.select_related("repository").first()
    if one is None:
        raise RegistryError("MANIFEST_UNKNOWN", "manifest unknown", detail={"name": name, "reference": reference})
    return one


def upload(name: str, upload_id: str) -> Upload:
    """An upload of this repository; raises RegistryError BLOB_UPLOAD_UNKNOWN, also for one of another repository."""
    try:
        return Upload.objects.select_related("repository").get(pk=upload_id, repository__name=name)
    except (Upload.DoesNotExist, ValidationError):
        raise RegistryError("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", detail=upload_id) from None


def tag_names(name: str, after: str, count: int) -> list[str]:
    """Tags in order, one more than asked for if there are more."""
    found = Tag.objects.filter(repository=repository(name), name__gt=after).order_by("name")
    return list(found.values_list("name", flat=True)[: count + 1])


def repository_names(after: str, count: int) -> list[str]:
    """Repositories in order, one more than asked for if there are more."""
    found = Repository.objects.filter(name__gt=after).order_by("name")
    return list(found.values_list("name", flat=True)[: count + 1])


def referrers(name: str, digest: str, artifact_type: str) -> Sequence[Manifest]:
    """Manifests of the repository whose subject is the digest."""
    found: QuerySet[Manifest] = Manifest.objects.filter(repository__name=name, subject=digest).order_by("created_at")
    return list(found.filter(artifact_type=artifact_type) if artifact_type else found)


def repositories() -> QuerySet[Repository]:
    """Repositories with `tag_count` and `blob_size`, for pages."""
    tags = Tag.objects.filter(repository=OuterRef("pk")).order_by().values("repository").annotate(n=Count("pk"))
    links = BlobLink.objects.filter(repository=OuterRef("pk")).order_by().values("repository")
    sizes = links.annotate(n=Sum("blob__size"))
    return Repository.objects.annotate(
        tag_count=Coalesce(Subquery(tags.values("n")), 0, output_field=BigIntegerField()),
        blob_size=Coalesce(Subquery(sizes.values("n")), 0, output_field=BigIntegerField()),
    )


def repository_get(repository_id: uuid.UUID) -> Repository:
    """A repository for a page; raises NotFound."""
    found = Repository.objects.filter(pk=repository_id).first()
    if found is None:
        raise NotFound("There is no such repository")
    return found


def tag_get(repository_id: uuid.UUID, name: str) -> Tag:
    """A tag for a page; raises NotFound."""
    found = Tag.objects.filter(repository_id=repository_id, name=name).select_related("manifest", "repository").first()
    if found is None:
        raise NotFound(f"The repository has no tag {name}")
    return found


def manifest_get(repository_id: uuid.UUID, digest: str) -> Manifest:
    """A manifest for a page; raises NotFound."""
    found = Manifest.objects.filter(repository_id=repository_id, digest=digest).select_related("repository").first()
    if found is None:
        raise NotFound(f"The repository has no manifest {digest}")
    return found
