"""Samples of use, one each 10 s for a container or a host."""

from django.db import models


class Sample(models.Model):
    """Counters are stored as the host counts them (they only rise); rates are made when read."""

    # A container's or a host's id. No foreign key: samples are dropped by age, not with their subject.
    subject_id = models.UUIDField()
    at = models.DateTimeField()
    cpu_percent = models.FloatField(null=True)
    memory_bytes = models.BigIntegerField(null=True)
    memory_cache = models.BigIntegerField(null=True)
    memory_limit = models.BigIntegerField(null=True)
    net_rx = models.BigIntegerField(null=True)
    net_tx = models.BigIntegerField(null=True)
    block_read = models.BigIntegerField(null=True)
    block_write = models.BigIntegerField(null=True)
    pids = models.IntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject_id", "at"], name="sample_once")]
        indexes = [models.Index(fields=["at"])]
