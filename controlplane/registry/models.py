"""What was pushed: repositories, their manifests and tags; blobs, shared by repositories; uploads in progress."""

from django.db import models

from controlplane.common.models import Base, Versioned


class Repository(Versioned):
    """A name under which images are pushed. It comes to be with its first upload."""

    name = models.CharField(max_length=255, unique=True)
    pulls = models.PositiveBigIntegerField(default=0)
    pushed_at = models.DateTimeField(null=True, blank=True, db_index=True)
    pushed_by = models.CharField(max_length=150, blank=True, default="")

    def __str__(self) -> str:
        return self.name


class Blob(Base):
    """Bytes by their digest. The row's id names the file, so a blob that is pushed anew while the collector removes
    its old file is never the file that goes."""

    digest = models.CharField(max_length=80, unique=True)
    size = models.BigIntegerField()
    # Raised by every push, mount and HEAD: what a client was just told to be there must stay until its manifest comes.
    used_at = models.DateTimeField(db_index=True)


class BlobLink(models.Model):
    """That a repository holds a blob: without it the blob does not exist there, whoever knows its digest."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="links")
    blob = models.ForeignKey(Blob, on_delete=models.CASCADE, related_name="links")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "blob"], name="blob_once_per_repository")]


class Manifest(Base):
    """A manifest or index of one repository, byte for byte."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="manifests")
    digest = models.CharField(max_length=80)
    media_type = models.CharField(max_length=255)
    artifact_type = models.CharField(max_length=255, blank=True, default="")
    subject = models.CharField(max_length=80, blank=True, default="", db_index=True)
    annotations = models.JSONField(default=dict)
    content = models.BinaryField()
    size = models.BigIntegerField()  # the manifest's own bytes
    total_size = models.BigIntegerField(default=0)  # with its configuration and layers
    pushed_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "digest"], name="manifest_once_per_repository")]

    def __str__(self) -> str:
        return self.digest


class Reference(models.Model):
    """One digest that a manifest names: a blob, or a manifest of an index."""

    manifest = models.ForeignKey(Manifest, on_delete=models.CASCADE, related_name="references")
    digest = models.CharField(max_length=80, db_index=True)


class Tag(Base):
    """A name for a manifest of the repository, until it is pushed again."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="tags")
    manifest = models.ForeignKey(Manifest, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=128)
    pushed_at = models.DateTimeField()
    pushed_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "name"], name="tag_once_per_repository")]

    def __str__(self) -> str:
        return self.name


class Upload(Versioned):
    """A blob on its way in. Each PATCH adds a part; the version decides which of two at once is kept."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="uploads")
    size = models.BigIntegerField(default=0)
    parts = models.JSONField(default=list)  # [{"path", "size", "digest"}], in order
    touched_at = models.DateTimeField(auto_now=True, db_index=True)
