"""Questions to the registry's records."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from controlplane.registry.errors import RegistryError
from controlplane.registry.models import Blob, Manifest, Repository, Tag, Upload
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
