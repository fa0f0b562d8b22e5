"""One row an image over all hosts, and one row for each host that has it."""

from django.db import models

from controlplane.common.models import Base, Versioned
from controlplane.hosts.models import Host


class Image(Versioned):
    """An image by its id, the digest of its configuration."""

    digest = models.CharField(max_length=80, unique=True)  # sha256:…
    name = models.CharField(max_length=512, blank=True, default="", db_index=True)  # its first reference, for sorting
    size = models.BigIntegerField(default=0)
    built_at = models.DateTimeField(null=True, blank=True, db_index=True)
    os = models.CharField(max_length=32, blank=True, default="")
    architecture = models.CharField(max_length=32, blank=True, default="")
    labels = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name or self.digest


class ImageOnHost(Base):
    """That one host has one image, under these references."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="copies")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="images")
    references = models.JSONField(default=list)  # name:tag
    digests = models.JSONField(default=list)  # name@sha256:…
    size = models.BigIntegerField(default=0)
    observed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "host"], name="image_once_per_host")]
