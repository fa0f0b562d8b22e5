"""The trail: rows that are only ever added, each bound to the one before it by a hash."""

from django.db import models

from controlplane.common.models import new_id


class Entry(models.Model):
    """One thing that somebody did, or was refused.

    Actor, target and host are stored as they were at that time: a trail must not change when a user is renamed.
    """

    class Result(models.TextChoices):
        """What became of the request itself; an order's own end stands in the order."""

        ACCEPTED = "accepted"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    seq = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField(db_index=True)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=150, blank=True)
    actor_kind = models.CharField(max_length=16)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64, db_index=True)
    target_type = models.CharField(max_length=32, blank=True)
    target_id = models.CharField(max_length=64, blank=True, db_index=True)
    target_name = models.CharField(max_length=255, blank=True)
    host_id = models.UUIDField(null=True, blank=True, db_index=True)
    host_name = models.CharField(max_length=100, blank=True)
    result = models.CharField(max_length=8, choices=Result.choices)
    code = models.CharField(max_length=64, blank=True)  # why it was refused
    order_id = models.UUIDField(null=True, blank=True, db_index=True)
    request_id = models.CharField(max_length=64, blank=True)
    details = models.JSONField(default=dict)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]


class ChainHead(models.Model):
    """The single row that says where the trail ends; its UPDATE makes writers take turns."""

    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")
