"""Order volumes, and write what hosts report of theirs."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controlplane.common import hints, readings
from controlplane.common.access import Access, denied
from controlplane.common.errors import Conflict, Invalid
from controlplane.common.rights import CONTAINERS_PRIVILEGED
from controlplane.hosts.models import Host
from controlplane.hosts.services import check_labels
from controlplane.orders.made import Made
from controlplane.orders.models import Order
from controlplane.orders.services import order_create
from controlplane.volumes.models import Volume

# file systems of nothing that the host has, as far as options can say
_APART: Final = frozenset({"tmpfs", "nfs", "nfs4", "cifs"})
MADE: Final = Made(Volume, "volume", lambda result: {"mountpoint": readings.text(result.get("mountpoint"), 512)})


def volume_create(
    *,
    host: Host,
    access: Access,
    name: str = "",
    driver: str = "local",
    options: Mapping[str, str] | None = None,
    labels: dict[str, str] | None = None,
    not_after: datetime | None = None,
) -> tuple[Volume, Order]:
    """Write the record and order the volume.

    Raises:
        Invalid: a label. Conflict: the host has a volume of that name.
        Denied: the options reach a path of the host.
    """
    check_labels(labels or {})
    if reaches_host(driver, options or {}) and not access.on(CONTAINERS_PRIVILEGED, host.pk):
        raise denied(CONTAINERS_PRIVILEGED, host.name)
    name = name or uuid.uuid4().hex + uuid.uuid4().hex
    with transaction.atomic():
        MADE.forget_failed(host, name)
        if Volume.objects.filter(host=host, name=name).exists():
            raise Conflict(f"{host.name} has a volume {name!r} already", code="name_taken", params={"name": name})
        volume = Volume(host=host, name=name, driver=driver, options=dict(options or {}), labels=labels or {})
        volume.save(force_insert=True)
        args = {
            "id": str(volume.pk),
            "name": name,
            "driver": driver,
            "driver_opts": dict(options or {}),
            "labels": labels or {},
        }
        order = order_create(
            host=host, op="volume.create", args=args, target=volume, actor=access.actor, not_after=not_after
        )
        hints.changed(kind="volume", action="created", ids=[volume.pk], host_id=host.pk, order_id=order.pk)
    return volume, order


def reaches_host(driver: str, options: Mapping[str, str]) -> bool:
    """Whether the driver would mount something of the host itself: a path, a device, its processes."""
    if driver != "local":
        # what a plugin makes of its options only the plugin knows: rclone takes any path of the host
        return bool(options)
    kind, words = options.get("type", ""), options.get("o", "").split(",")
    if not kind and not options.get("device") and words == [""]:
        return False
    # bind looks at the device alone, whatever the type; a relative device is one of the engine's own folder
    return kind not in _APART or not {"bind", "rbind"}.isdisjoint(words)


def volume_remove(
    *, volume: Volume, access: Access, force: bool, confirm: str, not_after: datetime | None = None
) -> Order | None:
    """Order the removal; a record that never came to be goes at once, without an order.

    Raises:
        Invalid: the name was not repeated: what is in a volume cannot be brought back.
    """
    with transaction.atomic():
        if MADE.dismissed(volume):
            return None
        if confirm != volume.name:
            detail = f"It may hold data: repeat its name as ?confirm={volume.name}"
            raise Invalid(detail, code="confirm_required", params={"name": volume.name})
        args: dict[str, Any] = {"id": str(volume.pk), "name": volume.name, **({"force": True} if force else {})}
        order = order_create(
            host=volume.host, op="volume.remove", args=args, target=volume, actor=access.actor, not_after=not_after
        )
        MADE.touch(volume.pk, volume.host_id, "updated")
    return order


def volumes_observed(*, host: Host, items: Sequence[Mapping[str, Any]]) -> None:
    """Write some volumes as they are now."""
    now = timezone.now()
    changed = []
    with transaction.atomic():
        for item in items:
            name = readings.text(item.get("name"))
            if not name:
                continue
            values = {
                "state": Volume.State.PRESENT,
                "driver": readings.text(item.get("driver"), 64),
                "mountpoint": readings.text(item.get("mountpoint"), 512),
                "options": readings.texts(item.get("options")),
                "labels": readings.texts(item.get("labels")),
                "engine_created_at": readings.moment(item.get("created_at")),
                "problem": None,
            }
            row, made = Volume.objects.get_or_create(host=host, name=name, defaults={**values, "observed_at": now})
            if made or any(getattr(row, key) != value for key, value in values.items()):
                Volume.objects.filter(pk=row.pk).update(version=F("version") + 1, **values)
                changed.append(row.pk)
            Volume.objects.filter(pk=row.pk).update(observed_at=now)
        if changed:
            hints.changed(kind="volume", action="updated", ids=changed, host_id=host.pk)


def volumes_gone(*, host: Host, names: Iterable[str]) -> None:
    """Some are no longer there."""
    MADE.gone(host, Volume.objects.filter(host=host, name__in=[*names], state=Volume.State.PRESENT))


def volumes_swept(*, host: Host, since: datetime) -> None:
    """A whole list has been written since `since`: what it did not name is gone."""
    MADE.gone(host, Volume.objects.filter(host=host, state=Volume.State.PRESENT, observed_at__lt=since))


def register() -> None:
    """Every op of volumes."""
    MADE.register()
