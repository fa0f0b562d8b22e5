"""Whether a host is there, as its connection tells: every write that an agent's coming and going makes to its row.

    pending ─▶ online ◀─▶ stale ─▶ offline ─▶ online …          revoked is final
               └────── connection closed ──────▲

Online: connected and heard of. Stale: not heard of for 30 s. Offline: the connection closed, or 45 s of silence. Each
connection has an epoch; what an older one still wants to write finds no row.
"""

import datetime
import uuid
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agent.protocol.versions import OFFLINE_SECONDS, STALE_SECONDS
from controlplane.audit.services import entry_add
from controlplane.common import hints
from controlplane.common.access import Actor
from controlplane.common.views import Note
from controlplane.hosts.models import Event, Host, HostState


class UnknownHost(Exception):
    """No such host, or one that was revoked."""


def public_key_of(host_id: uuid.UUID) -> bytes:
    """The raw key that was pinned when the host enrolled.

    Raises:
        UnknownHost: there is none that counts.
    """
    key = Host.objects.filter(pk=host_id).exclude(state=HostState.REVOKED).values_list("public_key", flat=True).first()
    if not key:
        raise UnknownHost
    return bytes.fromhex(key)


def host_connected(
    host_id: uuid.UUID, *, boot_id: str, address: str, capabilities: list[str], protocol: int
) -> int | None:
    """A host proved itself. Returns the connection's epoch, None when it was revoked meanwhile."""
    now = timezone.now()
    with transaction.atomic():
        written = (
            Host.objects.filter(pk=host_id)
            .exclude(state=HostState.REVOKED)
            .update(
                state=HostState.ONLINE,
                epoch=F("epoch") + 1,
                version=F("version") + 1,
                boot_id=boot_id,
                address=address,
                capabilities=capabilities,
                connected_at=now,
                last_seen_at=now,
                offline_since=None,
                offline_reason="",
            )
        )
        if not written:
            return None
        _changed(host_id, "online")
        return int(Host.objects.values_list("epoch", flat=True).get(pk=host_id))


def host_superseded(host_id: uuid.UUID, *, address: str, same_boot: bool) -> None:
    """A second connection took the first one's place. From another boot that may be a copied disk: an alarm."""
    host = Host.objects.get(pk=host_id)
    with transaction.atomic():
        Event.objects.create(
            host=host,
            at=timezone.now(),
            at_nano=int(timezone.now().timestamp() * 1e9),
            kind="agent",
            action="superseded",
            object_id=host.pk,
            object_name=host.name,
            attributes={"address": address, "same_boot": same_boot},
        )
        if not same_boot:
            _audit(host, "agent.superseded", address=address)
        hints.changed(kind="event", action="agent.superseded", ids=[host_id], host_id=host_id)


def stream_refused(host_id: uuid.UUID, target: str) -> None:
    """An agent asked for something that is not an agent's to ask."""
    host = Host.objects.get(pk=host_id)
    _audit(host, "agent.stream", refused="denied", target=target)


def report_refused(host_id: uuid.UUID, kind: str, code: str, about: str) -> None:
    """An agent reported about something that is not its own."""
    host = Host.objects.get(pk=host_id)
    _audit(host, "agent.report", refused=code, kind=kind, about=about[:200])


def host_seen(host_id: uuid.UUID, epoch: int, *, heard: bool) -> int | None:
    """The connection is open. Returns the host's highest order number, None when the connection counts no more.

    Args:
        heard: whether the host has said anything of late; an open connection alone is no sign of life.
    """
    with transaction.atomic():
        row = Host.objects.filter(pk=host_id, epoch=epoch).exclude(state=HostState.REVOKED)
        if not heard:
            return row.values_list("seq", flat=True).first()
        if not row.update(last_seen_at=timezone.now()):
            return None
        if row.filter(state=HostState.STALE).update(state=HostState.ONLINE, version=F("version") + 1):
            _changed(host_id, "online")
        return int(Host.objects.values_list("seq", flat=True).get(pk=host_id))


def host_disconnected(host_id: uuid.UUID, epoch: int, reason: str) -> None:
    """The connection is over; nothing happens if a newer one is there."""
    with transaction.atomic():
        there = Host.objects.filter(pk=host_id, epoch=epoch, state__in=[HostState.ONLINE, HostState.STALE])
        if there.update(
            state=HostState.OFFLINE,
            version=F("version") + 1,
            offline_since=timezone.now(),
            offline_reason=reason[:255],
        ):
            _changed(host_id, "offline")


def host_reported(host_id: uuid.UUID, report: dict[str, Any]) -> None:
    """What the host says that it is."""
    info = _object(report.get("engine_info"))
    root_total, root_free = _count(report.get("disk_total_bytes")), _count(report.get("disk_free_bytes"))
    with transaction.atomic():
        Host.objects.filter(pk=host_id).update(
            version=F("version") + 1,
            facts={
                "hostname": _text(report, "hostname"),
                "os": _text(report, "os"),
                "kernel": _text(report, "kernel"),
                "arch": _text(report, "arch"),
                "cpus": _count(report.get("cpus")),
                "memory_bytes": _count(report.get("memory_bytes")),
            },
            engine={
                "name": _text(report, "engine_name"),
                "version": _text(report, "engine_version"),
                "api_version": _text(report, "engine_api"),
                "running": bool(report.get("engine_running")),
                "info": info,
            },
            agent={"version": _text(report, "agent_version")},
            policy=_object(report.get("policy")),
            disk={"total": root_total, "used": root_total - root_free},
        )
        _changed(host_id, "updated")


def presence_sweep() -> None:
    """Mark who was not heard of: for hosts whose connection died together with the process that held it."""
    now = timezone.now()
    stale = now - datetime.timedelta(seconds=STALE_SECONDS)
    gone = now - datetime.timedelta(seconds=OFFLINE_SECONDS)
    with transaction.atomic():
        silent = Host.objects.filter(state__in=[HostState.ONLINE, HostState.STALE])
        ids = list(silent.filter(last_seen_at__lt=gone).values_list("pk", flat=True))
        if ids:
            silent.filter(pk__in=ids, last_seen_at__lt=gone).update(
                state=HostState.OFFLINE, version=F("version") + 1, offline_since=now, offline_reason="no heartbeat"
            )
        late = list(Host.objects.filter(state=HostState.ONLINE, last_seen_at__lt=stale).values_list("pk", flat=True))
        if late:
            Host.objects.filter(pk__in=late, state=HostState.ONLINE, last_seen_at__lt=stale).update(
                state=HostState.STALE, version=F("version") + 1
            )
        for host_id in ids:
            _changed(host_id, "offline")
        for host_id in late:
            _changed(host_id, "stale")


def agent_actor(host: Host) -> Actor:
    """The host's agent as the one who does something."""
    return Actor(id=str(host.pk), name=host.name, kind="agent", address=host.address)


def _audit(host: Host, action: str, refused: str = "", **details: Any) -> None:
    note = Note(
        target_type="host", target_id=str(host.pk), target_name=host.name, host_id=host.pk, host_name=host.name,
        details=details,
    )  # fmt: skip
    entry_add(access=None, actor=agent_actor(host), action=action, note=note, refused=refused)


def _changed(host_id: uuid.UUID, action: str) -> None:
    hints.changed(kind="host", action=action, ids=[host_id], host_id=host_id)


def _text(report: dict[str, Any], name: str) -> str:
    return str(report.get(name) or "")[:255]


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else 0


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
