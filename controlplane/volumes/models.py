"""One row a volume a host."""

from django.db import models

from controlplane.common.models import Versioned
from controlplane.hosts.models import Host


class Volume(Versioned):
    """A named volume; matched to reports by host and name."""

    class State(models.TextChoices):
        """Whether the host has it yet."""

        CREATING = "creating"
        CREATION_FAILED = "creation_failed"
        PRESENT = "present"

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="volumes")
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=16, choices=State.choices, default=State.CREATING)
    driver = models.CharField(max_length=64, default="local")
    mountpoint = models.CharField(max_length=512, blank=True, default="")
    scope = models.CharField(max_length=16, default="local")
    options = models.JSONField(default=dict)
    labels = models.JSONField(default=dict)
    size = models.BigIntegerField(null=True, blank=True)
    engine_created_at = models.DateTimeField(null=True, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)
    problem = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "name"], name="volume_name_once_per_host")]

    def __str__(self) -> str:
        return self.name
