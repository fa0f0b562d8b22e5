"""Make a place for a host, name it, end it. What its connection tells is written by presence.py."""

import hashlib
import re
import secrets
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from controlplane.common import bus, hints
from controlplane.common.errors import Conflict, PreconditionFailed, invalid_field
from controlplane.hosts import server_key
from controlplane.hosts.models import Enrolment, Host, HostState

JOIN_LASTS: Final = timedelta(minutes=15)
NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
RESERVED: Final = "longshore."


def enrolment_create(*, name: str, labels: dict[str, str], created_by: str) -> tuple[Enrolment, str]:
    """Make a pending host and the join string that fills its place; the string is never seen again.

    Raises:
        Invalid: the name or a label.
        Conflict: a host of that name is there, or waits for a join string that is still good.
    """
    _check_name(name)
    check_labels(labels)
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        # A place whose join string ran out unused is nobody's.
        Host.objects.filter(
            name=name, state=HostState.PENDING, enrolment__expires_at__lte=now, enrolment__spent_at=None
        ).delete()
        try:
            with transaction.atomic():
                host = Host.objects.create(name=name, labels=labels)
        except IntegrityError:
            raise Conflict(f"There is a host {name!r} already", code="name_taken", params={"name": name}) from None
        enrolment = Enrolment.objects.create(
            host=host,
            token_hash=hashlib.sha256(token.encode()).hexdigest(),
            expires_at=now + JOIN_LASTS,
            created_by=created_by,
        )
        hints.changed(kind="host", action="created", ids=[host.pk], host_id=host.pk)
    return enrolment, f"{settings.LONGSHORE_URL}#{server_key.key_hash()}#{token}"


def enrolment_delete(*, enrolment: Enrolment) -> None:
    """Make a join string useless; the place that waited for it goes with it.

    Raises:
        Conflict: it was spent: revoke the host instead.
    """
    with transaction.atomic():
        if not Enrolment.objects.filter(pk=enrolment.pk, spent_at=None).update(expires_at=timezone.now()):
            raise Conflict("The join string was spent: revoke the host instead", code="enrolment_spent")
        Host.objects.filter(pk=enrolment.host_id, state=HostState.PENDING).delete()
        hints.changed(kind="host", action="removed", ids=[enrolment.host_id], host_id=enrolment.host_id)


def host_change(*, host: Host, changes: dict[str, Any]) -> Host:
    """Name and labels, which the control plane alone owns.

    Raises:
        Invalid: the name or a label.
        Conflict: the name is taken.
        PreconditionFailed: somebody was first.
    """
    if "name" in changes:
        _check_name(changes["name"])
    if "labels" in changes:
        check_labels(changes["labels"])
    try:
        with transaction.atomic():
            written = host.touch(**changes)
    except IntegrityError:
        raise Conflict(f"There is a host {changes['name']!r} already", code="name_taken") from None
    if not written:
        raise PreconditionFailed("The host was changed meanwhile: load it again")
    hints.changed(kind="host", action="updated", ids=[host.pk], host_id=host.pk)
    return host


def host_revoke(*, host: Host, reason: str) -> Host:
    """Forget a host's key for good; every process drops its connections. Its containers run on.

    Raises:
        Conflict: it is revoked already.
    """
    with transaction.atomic():
        written = (
            Host.objects.filter(pk=host.pk)
            .exclude(state=HostState.REVOKED)
            .update(
                state=HostState.REVOKED,
                public_key="",
                revoked_at=timezone.now(),
                offline_reason=f"revoked: {reason}"[:255] if reason else "revoked",
                version=F("version") + 1,
            )
        )
        if not written:
            raise Conflict(f"{host.name} is revoked already", code="host_revoked")
        Enrolment.objects.filter(host=host).update(expires_at=timezone.now())
        bus.publish_on_commit(bus.HOST_REVOKED, host_id=str(host.pk))
        hints.changed(kind="host", action="revoked", ids=[host.pk], host_id=host.pk)
    host.refresh_from_db()
    return host


def check_labels(labels: dict[str, str], pointer: str = "/labels") -> None:
    """Refuse empty keys and those that are ours.

    Raises:
        Invalid: names the label.
    """
    for key in labels:
        if not key or key.startswith(RESERVED):
            detail = f"Label {key!r}: must not be empty or begin with {RESERVED}"
            raise invalid_field(f"{pointer}/{key}", "bad_label", detail)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise invalid_field("/name", "bad_name", "A host's name has 1 to 63 of a-z, 0-9, dot and dash")
