"""Hosts, the keys by which they come in, and what happened on them."""

from django.db import models

from controlplane.common.models import Base, Versioned


class HostState(models.TextChoices):
    """Where a host stands; the transitions are in states.py."""

    PENDING = "pending"
    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"
    REVOKED = "revoked"


class Host(Versioned):
    """One machine with an agent. Its records follow what the agent reports."""

    name = models.CharField(max_length=63)
    state = models.CharField(max_length=8, choices=HostState.choices, default=HostState.PENDING, db_index=True)
    labels = models.JSONField(default=dict)
    public_key = models.CharField(max_length=64, blank=True, default="")  # Ed25519, hexadecimal
    seq = models.PositiveBigIntegerField(default=0)  # the highest order number given out
    epoch = models.PositiveBigIntegerField(default=0)  # counts connections: a late message of an older one is known
    boot_id = models.CharField(max_length=64, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    facts = models.JSONField(default=dict)  # os, kernel, architecture, cpus, memory …
    engine = models.JSONField(default=dict)  # name, version, api_version, driver …
    agent = models.JSONField(default=dict)  # version, protocol
    capabilities = models.JSONField(default=list)
    policy = models.JSONField(default=dict)  # what the host's own file forbids
    checks = models.JSONField(default=list)  # [{name, ok, detail, cure}]
    disk = models.JSONField(default=dict)  # {total, used} of the engine's data root
    cpu_percent = models.FloatField(null=True, blank=True)
    memory_bytes = models.BigIntegerField(null=True, blank=True)
    enrolled_at = models.DateTimeField(null=True, blank=True)
    connected_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    inventory_at = models.DateTimeField(null=True, blank=True)
    offline_since = models.DateTimeField(null=True, blank=True)
    offline_reason = models.CharField(max_length=255, blank=True, default="")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=~models.Q(state=HostState.REVOKED), name="host_name_once_while_in_use"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def online(self) -> bool:
        """Whether the host is connected and heard of."""
        return self.state == HostState.ONLINE


class Enrolment(Base):
    """A join string's one-use token, stored as its SHA-256, and the host that waits for it."""

    host = models.OneToOneField(Host, on_delete=models.CASCADE, related_name="enrolment")
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)
    spent_at = models.DateTimeField(null=True, blank=True)
    spent_from = models.CharField(max_length=64, blank=True, default="")
    created_by = models.CharField(max_length=150)


class EnrolmentAttempt(models.Model):
    """Tries to enrol from one address in one minute."""

    address = models.CharField(max_length=64)
    minute = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "minute"], name="enrolment_attempts_per_minute")]


class Use(models.Model):
    """That a container uses an image, a volume or a network; kept by the containers' app for the other three."""

    class Kind(models.TextChoices):
        """What is used."""

        IMAGE = "image"
        VOLUME = "volume"
        NETWORK = "network"

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="uses")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    key = models.CharField(max_length=255)  # digest, volume name, network's engine id
    container_id = models.UUIDField(db_index=True)
    engine_id = models.CharField(max_length=64)  # the container's
    container_name = models.CharField(max_length=255)
    detail = models.JSONField(default=dict)  # addresses on a network, the path of a volume

    class Meta:
        indexes = [models.Index(fields=["kind", "key"])]


class Event(Base):
    """Something that the engine of a host, or the host's link, reported."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    at_nano = models.BigIntegerField(default=0)  # the engine's own time, to recognise a repeat
    kind = models.CharField(max_length=32)
    action = models.CharField(max_length=128)
    engine_id = models.CharField(max_length=128, blank=True, default="")
    object_id = models.UUIDField(null=True, blank=True, db_index=True)
    object_name = models.CharField(max_length=255, blank=True, default="")
    attributes = models.JSONField(default=dict)
    order_id = models.UUIDField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["at", "id"]), models.Index(fields=["host", "at"])]
        constraints = [
            models.UniqueConstraint(fields=["host", "at_nano", "kind", "action", "engine_id"], name="event_once")
        ]
