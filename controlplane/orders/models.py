"""What a host was asked to do, and the lines it wrote while doing it."""

from django.db import models

from controlplane.common.models import Versioned
from controlplane.hosts.models import Host


class OrderState(models.TextChoices):
    """Where an order stands; the transitions are in states.py."""

    QUEUED = "queued"
    SENT = "sent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Order(Versioned):
    """One signed order to one host. Secrets are never stored in it: a fetch adds grants, made anew each time."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="orders")
    seq = models.PositiveBigIntegerField()
    op = models.CharField(max_length=32)
    args = models.JSONField(default=dict)
    target_type = models.CharField(max_length=32)
    target_id = models.UUIDField(null=True, blank=True, db_index=True)
    target_name = models.CharField(max_length=255, blank=True, default="")
    state = models.CharField(max_length=9, choices=OrderState.choices, default=OrderState.QUEUED)
    progress = models.JSONField(null=True, blank=True)  # {current, total, unit, text}
    result = models.JSONField(null=True, blank=True)
    problem = models.JSONField(null=True, blank=True)
    actor_id = models.CharField(max_length=64, blank=True, default="")
    actor_name = models.CharField(max_length=150, blank=True, default="")
    actor_kind = models.CharField(max_length=16, default="user")
    cause = models.CharField(max_length=100, blank=True, default="")
    batch = models.UUIDField(null=True, blank=True, db_index=True)
    retry_of = models.UUIDField(null=True, blank=True)
    # a credential came with it, which is gone once it has ended
    with_credential = models.BooleanField(default=False)
    not_after = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    rung_at = models.DateTimeField(null=True, blank=True)
    rings = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "seq"], name="order_seq_once_per_host")]
        indexes = [
            models.Index(fields=["state", "not_after"]),
            models.Index(fields=["created_at", "id"]),
            models.Index(fields=["target_id", "state"]),
        ]

    def __str__(self) -> str:
        return f"{self.op} {self.target_name}"


class OrderSecret(models.Model):
    """A credential that came with a request, sealed by a key outside the database; dropped when the order ends."""

    order = models.OneToOneField(Order, on_delete=models.CASCADE, related_name="secret")
    sealed = models.TextField()


class OrderLine(models.Model):
    """One line of an order's output; `n` counts from 1 and makes a repeat harmless."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    n = models.PositiveIntegerField()
    at = models.DateTimeField()
    step = models.CharField(max_length=128, blank=True, default="")
    text = models.TextField(blank=True, default="")
    data = models.JSONField(null=True, blank=True)  # the engine's own progress object, for layers and build steps

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "n"], name="order_line_once")]
        ordering = ["n"]

    def __str__(self) -> str:
        return self.text
