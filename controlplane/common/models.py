"""Base models, and the one table of `common`: answers kept for repeated requests."""

import uuid
from typing import Any, ClassVar

import uuid_utils.compat
from django.db import models


def new_id() -> uuid.UUID:
    """A UUID v7: sorts by the time it was made, so an index on it stays compact."""
    return uuid_utils.compat.uuid7()


class Base(models.Model):
    """A row with a UUID v7 that is safe to show in URLs."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Versioned(Base):
    """A row whose every change raises `version`, the ETag of its detail page."""

    version = models.PositiveBigIntegerField(default=1)

    class Meta:
        abstract = True

    def touch(self, **changes: Any) -> bool:
        """Write `changes` and raise the version, if the row is still at the version that was read.

        Returns False when somebody else was first; the caller decides whether that is a conflict.
        """
        manager = type(self)._default_manager
        written = manager.filter(pk=self.pk, version=self.version).update(version=self.version + 1, **changes)
        if written:
            self.version += 1
            for name, value in changes.items():
                setattr(self, name, value)
        return bool(written)


class IdempotencyKey(models.Model):
    """The answer to a request that carried `Idempotency-Key`, kept for 24 h."""

    RUNNING: ClassVar = "running"
    DONE: ClassVar = "done"

    actor = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=8, default=RUNNING)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.TextField(default="")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="idempotency_key_once_per_actor")]
