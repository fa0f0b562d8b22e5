"""One row a container a host: what was asked for beside what the host reported."""

from django.db import models

from controlplane.common.models import Versioned
from controlplane.hosts.models import Host


class ContainerState(models.TextChoices):
    """The engine's words, and three of our own: creating, creation failed, removed."""

    CREATING = "creating"
    CREATION_FAILED = "creation_failed"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"
    REMOVED = "removed"


class Health(models.TextChoices):
    """Of the health check; empty where there is none."""

    NONE = ""
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Container(Versioned):
    """Asked for: spec, desired_state. Observed, only ever written from reports: all else."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="containers")
    name = models.CharField(max_length=255, db_index=True)
    # asked for
    spec = models.JSONField(null=True, blank=True)  # as the user wrote it, in Docker's names; null: not made by us
    desired_state = models.CharField(max_length=16, blank=True, default="")
    problem = models.JSONField(null=True, blank=True)  # why creation failed
    # observed
    engine_id = models.CharField(max_length=64, blank=True, default="", db_index=True)
    image_reference = models.CharField(max_length=512, blank=True, default="")
    image_digest = models.CharField(max_length=80, blank=True, default="", db_index=True)
    command = models.TextField(blank=True, default="")
    state = models.CharField(max_length=16, choices=ContainerState.choices, default=ContainerState.CREATING)
    health = models.CharField(max_length=16, blank=True, default="", choices=Health.choices)
    exit_code = models.IntegerField(null=True, blank=True)
    oom_killed = models.BooleanField(default=False)
    ports = models.JSONField(default=list)  # [{host_ip, host_port, container_port, protocol}]
    addresses = models.JSONField(default=list)
    networks = models.JSONField(default=dict)
    mounts = models.JSONField(default=list)
    labels = models.JSONField(default=dict)
    health_log = models.JSONField(default=list)
    last_exit = models.JSONField(null=True, blank=True)
    inspect = models.JSONField(null=True, blank=True)  # the engine's own JSON, for when the host is away
    restart_count = models.PositiveIntegerField(default=0)
    cpu_percent = models.FloatField(null=True, blank=True)
    memory_bytes = models.BigIntegerField(null=True, blank=True)
    engine_created_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attention = models.PositiveSmallIntegerField(default=50)  # the server's rank: smaller wants eyes sooner

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["host", "engine_id"], condition=~models.Q(engine_id=""), name="container_once_per_host"
            )
        ]
        indexes = [models.Index(fields=["attention", "name", "id"]), models.Index(fields=["host", "state"])]

    def __str__(self) -> str:
        return self.name
