"""One row a network a host."""

from django.db import models

from controlplane.common.models import Versioned
from controlplane.hosts.models import Host


class Network(Versioned):
    """A network; matched to reports by the label `longshore.id`, else by host and engine id."""

    class State(models.TextChoices):
        """Whether the host has it yet."""

        CREATING = "creating"
        CREATION_FAILED = "creation_failed"
        PRESENT = "present"

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="networks")
    engine_id = models.CharField(max_length=64, blank=True, default="", db_index=True)
    name = models.CharField(max_length=255, db_index=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.CREATING)
    driver = models.CharField(max_length=64, default="bridge")
    scope = models.CharField(max_length=16, default="local")
    subnets = models.JSONField(default=list)  # [{subnet, gateway, range}]
    internal = models.BooleanField(default=False)
    attachable = models.BooleanField(default=False)
    ipv6 = models.BooleanField(default=False)
    options = models.JSONField(default=dict)
    labels = models.JSONField(default=dict)
    engine_created_at = models.DateTimeField(null=True, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)
    problem = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["host", "engine_id"], condition=~models.Q(engine_id=""), name="network_once_per_host"
            )
        ]

    def __str__(self) -> str:
        return self.name
