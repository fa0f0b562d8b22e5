"""Pin a new host's key: one token, one host, one guarded UPDATE.

A token that fails is told apart from none by nobody: unknown, spent and expired have one answer.
"""

import datetime
import hashlib
import json
import uuid
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from agent.protocol.versions import PROTOCOL, enrol_statement
from controlplane.audit.services import entry_add
from controlplane.common import hints
from controlplane.common.access import Actor
from controlplane.common.errors import Denied, Invalid, TooMany
from controlplane.common.views import Note
from controlplane.hosts.models import Enrolment, EnrolmentAttempt, Host, HostState

TRIES: Final = 10
"""Tries to enrol from one address in one minute."""


def attempt_count(address: str) -> None:
    """Count a try, spent or not, before anything is looked up.

    Raises:
        TooMany: more than TRIES within this minute.
    """
    minute = timezone.now().replace(second=0, microsecond=0)
    row = EnrolmentAttempt.objects.filter(address=address, minute=minute)
    if not row.update(count=F("count") + 1):
        try:
            with transaction.atomic():
                EnrolmentAttempt.objects.create(address=address, minute=minute)
        except IntegrityError:
            row.update(count=F("count") + 1)
    if row.values_list("count", flat=True).get() > TRIES:
        raise TooMany("Too many tries to enrol from this address: wait a minute", retry_after=60)
    EnrolmentAttempt.objects.filter(minute__lt=minute - datetime.timedelta(hours=1)).delete()


def host_enrol(*, token: str, public_key: str, facts: str, sig: bytes, address: str) -> uuid.UUID:
    """Spend a token and pin the key of the host that sent it.

    Args:
        public_key: hexadecimal, of the raw Ed25519 key. facts: the text that was signed. sig: proof that the sender
            holds the key.

    Raises:
        Denied: no such token, or it was spent or has expired.
        Invalid: the key, the facts or the signature.
    """
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    statement = enrol_statement(
        settings.LONGSHORE_URL, token_hash, public_key, hashlib.sha256(facts.encode()).hexdigest()
    )
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(sig, statement)
        told = json.loads(facts)
    except (ValueError, InvalidSignature):
        raise Invalid("The host's key or its signature does not hold", code="bad_signature") from None
    if not isinstance(told, dict) or told.get("protocol") != PROTOCOL:
        raise Invalid(f"This control plane speaks protocol {PROTOCOL}", code="bad_protocol")
    now = timezone.now()
    with transaction.atomic():
        spent = Enrolment.objects.filter(
            token_hash=token_hash, spent_at__isnull=True, expires_at__gt=now, host__state=HostState.PENDING
        ).update(spent_at=now, spent_from=address)
        if not spent:
            raise Denied("This join string is not valid any more: create a new one", code="bad_join_token")
        host = Host.objects.get(enrolment__token_hash=token_hash)
        Host.objects.filter(pk=host.pk).update(
            public_key=public_key,
            enrolled_at=now,
            address=address,
            version=F("version") + 1,
            boot_id=_short(told, "boot_id"),
            facts={"hostname": _short(told, "hostname")},
            agent={"version": _short(told, "agent_version"), "protocol": PROTOCOL},
        )
        note = Note(
            target_type="host", target_id=str(host.pk), target_name=host.name, host_id=host.pk, host_name=host.name
        )
        entry_add(
            access=None,
            actor=Actor(id=str(host.pk), name=host.name, kind="agent", address=address),
            action="hosts.enrol",
            note=note,
        )
        hints.changed(kind="host", action="enrolled", ids=[host.pk], host_id=host.pk)
    return host.pk


def _short(told: dict[str, Any], name: str) -> str:
    return str(told.get(name) or "")[:64]
