"""Add to the trail, and prove that nobody changed it."""

import hashlib
import json
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controlplane.audit.models import ChainHead, Entry
from controlplane.common.access import SYSTEM, Access, Actor
from controlplane.common.views import Note
from controlplane.settings.logs import redact

HASHED = (
    "id", "seq", "actor_id", "actor_name", "actor_kind", "address", "action", "target_type", "target_id",
    "target_name", "host_id", "host_name", "result", "code", "order_id", "request_id", "details",
)  # fmt: skip


def entry_add(*, access: Access | None, action: str, note: Note, refused: str = "", actor: Actor | None = None) -> None:
    """Add one row; call it in the action's own transaction.

    Args:
        access: who did it; or `actor`, where there was no request. With neither it was Longshore itself.
        refused: why not, for an action that was refused.
    """
    who = actor or (access.actor if access else SYSTEM)
    with transaction.atomic():
        # The UPDATE comes first: it holds the head's row until the commit, so that writers stand in line.
        ChainHead.objects.filter(pk=1).update(seq=F("seq") + 1)
        head = ChainHead.objects.get(pk=1)
        entry = Entry(
            seq=head.seq,
            at=timezone.now(),
            actor_id=who.id,
            actor_name=who.name,
            actor_kind=who.kind,
            address=who.address,
            action=action,
            target_type=note.target_type,
            target_id=note.target_id,
            target_name=note.target_name[:255],
            host_id=note.host_id,
            host_name=note.host_name,
            result=Entry.Result.REFUSED if refused else Entry.Result.ACCEPTED,
            code=refused,
            order_id=note.order_id,
            request_id=who.request_id,
            details=redact(note.details),
        )
        entry.hash = chained(head.hash, entry)
        entry.save(force_insert=True)
        ChainHead.objects.filter(pk=1).update(hash=entry.hash)


def chained(before: str, entry: Entry) -> str:
    """The hash that binds a row to the one before it."""
    fields: dict[str, Any] = {name: getattr(entry, name) for name in HASHED}
    fields["at"] = entry.at.isoformat(timespec="microseconds")
    text = json.dumps(fields, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()


def verify() -> int | None:
    """Walk the whole trail; the number of the first row that does not follow from the one before, None if all do."""
    before, expected = "", 1
    for entry in Entry.objects.order_by("seq").iterator(chunk_size=500):
        if entry.seq != expected or entry.hash != chained(before, entry):
            return expected
        before, expected = entry.hash, expected + 1
    head = ChainHead.objects.get(pk=1)
    return None if (head.hash, head.seq) == (before, expected - 1) else expected
