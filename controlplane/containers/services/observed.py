"""What a host reports of its containers, written into its own rows and no others.

A report finds its row by the engine's id; else by the label `longshore.id`, if that row is this host's and has no
engine id yet (a committed image hands its labels on, so a label alone proves nothing); else it makes one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controlplane.common import hints, readings
from controlplane.containers.attention import rank
from controlplane.containers.models import Container, ContainerState, Health
from controlplane.hosts.models import Host, Use

STATES: Final = frozenset({"created", "running", "paused", "restarting", "removing", "exited", "dead"})
# A row whose order is on its way is not gone only because a list did not name it.
AWAITED: Final = (ContainerState.CREATING, ContainerState.CREATION_FAILED)


def containers_observed(*, host: Host, items: Sequence[Mapping[str, Any]]) -> None:
    """Write some containers as they are now."""
    now = timezone.now()
    reports = {readings.text(item.get("engine_id"), 64): item for item in items}
    reports.pop("", None)
    with transaction.atomic():
        known = {row.engine_id: row for row in Container.objects.filter(host=host, engine_id__in=reports)}
        created, updated, same = [], [], []
        for engine_id, item in reports.items():
            row = known.get(engine_id) or _awaited(host, item)
            values = observed(item)
            inspect = readings.mapping(item.get("inspect"))
            if row is None:
                row = Container(host=host, engine_id=engine_id, observed_at=now, inspect=inspect, **values)
                row.attention = _rank(row)
                row.save(force_insert=True)
                created.append(row.pk)
            elif _apply(row, {**values, "engine_id": engine_id, "removed_at": None}):
                row.observed_at, row.inspect, row.attention = now, inspect, _rank(row)
                row.version = F("version") + 1
                row.save()
                updated.append(row.pk)
            else:
                same.append(row.pk)
                if row.inspect != inspect:
                    Container.objects.filter(pk=row.pk).update(inspect=inspect)
        _note_uses(host, created + updated)
        Container.objects.filter(pk__in=same).update(observed_at=now)
        if created:
            hints.changed(kind="container", action="created", ids=created, host_id=host.pk)
        if updated:
            hints.changed(kind="container", action="updated", ids=updated, host_id=host.pk)


def containers_gone(*, host: Host, engine_ids: Iterable[str]) -> None:
    """Some are no longer there."""
    _remove(host, list(Container.objects.filter(host=host, engine_id__in=[*engine_ids], removed_at=None)))


def containers_swept(*, host: Host, since: datetime) -> None:
    """A whole list has been written since `since`: what it did not name is gone."""
    left = Container.objects.filter(host=host, removed_at=None, observed_at__lt=since).exclude(engine_id="")
    _remove(host, list(left.exclude(state__in=AWAITED)))


def usage_noted(*, host: Host, samples: Mapping[str, tuple[float | None, int | None]]) -> dict[str, Any]:
    """The latest CPU and memory of each; engine id -> our id. The version stays: lists are not fetched for it."""
    rows = list(Container.objects.filter(host=host, engine_id__in=samples, removed_at=None).only("id", "engine_id"))
    for row in rows:
        row.cpu_percent, row.memory_bytes = samples[row.engine_id]
    Container.objects.bulk_update(rows, ["cpu_percent", "memory_bytes"])
    return {row.engine_id: row.pk for row in rows}


def names_of(*, host: Host, engine_ids: Iterable[str]) -> dict[str, Container]:
    """The rows of some engine ids, for events."""
    rows = Container.objects.filter(host=host, engine_id__in=[*engine_ids]).defer("inspect", "spec", "health_log")
    return {row.engine_id: row for row in rows}


def observed(item: Mapping[str, Any]) -> dict[str, Any]:
    """A report as columns."""
    state = item.get("state") if item.get("state") in STATES else ContainerState.CREATED
    ended = state in {"exited", "dead", "restarting"}
    told = readings.mapping(item.get("networks"))
    networks = {readings.text(name): one for name, one in told.items() if isinstance(one, dict)}
    health = readings.text(item.get("health"), 16)
    return {
        "name": readings.text(item.get("name")),
        "image_reference": readings.text(item.get("image"), 512),
        "image_digest": readings.text(item.get("image_id"), 80),
        "command": readings.text(item.get("command"), 4096),
        "state": state,
        "health": health if health in Health.values else "",
        "health_log": readings.objects(item.get("health_log"))[-5:],
        "exit_code": readings.number(item.get("exit_code")) if ended else None,
        "oom_killed": bool(item.get("oom_killed")),
        "restart_count": max(readings.number(item.get("restart_count")) or 0, 0),
        "ports": _ports(item.get("ports")),
        "labels": readings.texts(item.get("labels")),
        "mounts": readings.objects(item.get("mounts")),
        "networks": networks,
        "addresses": sorted(_addresses(networks)),
        "engine_created_at": readings.moment(item.get("created_at")),
        "started_at": readings.moment(item.get("started_at")),
        "finished_at": readings.moment(item.get("finished_at")),
    }


def _ports(value: Any) -> list[dict[str, Any]]:
    found = []
    for one in readings.objects(value):
        port: dict[str, Any] = {
            "container_port": readings.number(one.get("container_port")) or 0,
            "protocol": readings.text(one.get("protocol"), 8) or "tcp",
        }
        if one.get("host_port") is not None:
            port["host_ip"] = readings.text(one.get("host_ip"), 64)
            port["host_port"] = readings.number(one["host_port"]) or 0
        found.append(port)
    return found


def _addresses(networks: Mapping[str, Any]) -> set[str]:
    found = set()
    for endpoint in networks.values():
        found |= {readings.text(endpoint.get(name), 64) for name in ("IPAddress", "GlobalIPv6Address")}
    return found - {""}


def _awaited(host: Host, item: Mapping[str, Any]) -> Container | None:
    ident = readings.identifier(item.get("longshore_id"))
    return Container.objects.filter(pk=ident, host=host, engine_id="").first() if ident else None


def _apply(row: Container, values: Mapping[str, Any]) -> bool:
    changed = False
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed = True
    return changed


def _rank(row: Container) -> int:
    return rank(
        state=row.state,
        health=row.health,
        exit_code=row.exit_code,
        oom_killed=row.oom_killed,
        restart_count=row.restart_count,
        desired_state=row.desired_state,
    )


def _remove(host: Host, rows: Sequence[Container]) -> None:
    if not rows:
        return
    ids = [row.pk for row in rows]
    with transaction.atomic():
        Use.objects.filter(container_id__in=ids).delete()
        Container.objects.filter(pk__in=ids).update(
            removed_at=timezone.now(), state=ContainerState.REMOVED, attention=99, version=F("version") + 1
        )
        hints.changed(kind="container", action="removed", ids=ids, host_id=host.pk)


def _note_uses(host: Host, ids: Sequence[Any]) -> None:
    """Who uses which image, volume and network, for the pages of those."""
    Use.objects.filter(container_id__in=ids).delete()
    uses = []
    for row in Container.objects.filter(pk__in=ids).only("engine_id", "name", "image_digest", "mounts", "networks"):
        used: list[tuple[str, str, dict[str, str]]] = [(Use.Kind.IMAGE, row.image_digest, {})]
        for mount in row.mounts:
            if mount.get("Type") == "volume":
                path = readings.text(mount.get("Destination"))
                used.append((Use.Kind.VOLUME, readings.text(mount.get("Name")), {"path": path}))
        for endpoint in row.networks.values():
            address = {"ipv4": readings.text(endpoint.get("IPAddress"), 64)}
            used.append((Use.Kind.NETWORK, readings.text(endpoint.get("NetworkID")), address))
        uses += [
            Use(
                host=host,
                kind=kind,
                key=key,
                container_id=row.pk,
                engine_id=row.engine_id,
                container_name=row.name,
                detail=detail,
            )
            for kind, key, detail in used
            if key
        ]
    Use.objects.bulk_create(uses)
