"""Order networks, and write what hosts report of theirs."""

import ipaddress
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controlplane.common import hints, readings
from controlplane.common.access import Access, Actor, denied
from controlplane.common.errors import Conflict, NotFound, invalid_field
from controlplane.common.rights import CONTAINERS_PRIVILEGED
from controlplane.hosts.models import Host, Use
from controlplane.hosts.services import check_labels
from controlplane.networks.models import Network
from controlplane.orders import outcomes
from controlplane.orders.made import Made
from controlplane.orders.models import Order
from controlplane.orders.outcomes import target_of
from controlplane.orders.services import order_create

# Options of a bridge that leave its containers behind it.
_WITHIN: Final = frozenset(
    {
        "com.docker.network.bridge.enable_icc",
        "com.docker.network.bridge.enable_ip_masquerade",
        "com.docker.network.bridge.host_binding_ipv4",
        "com.docker.network.container_iface_prefix",
        "com.docker.network.driver.mtu",
    }
)
FIXED: Final = frozenset({"bridge", "host", "none"})
MADE: Final = Made(Network, "network", lambda result: {"engine_id": readings.text(result.get("engine_id"), 64)})


def network_create(
    *, host: Host, access: Access, name: str, body: Mapping[str, Any], not_after: datetime | None = None
) -> tuple[Network, Order]:
    """Write the record and order the network.

    Raises:
        Invalid: a subnet, a gateway or a label. Conflict: the host has a network of that name.
        Denied: it takes part in a network of the host's.
    """
    labels = dict(body.get("labels") or {})
    check_labels(labels)
    subnets = [_subnet(n, one) for n, one in enumerate(body.get("subnets") or [])]
    driver, options = body.get("driver") or "bridge", dict(body.get("options") or {})
    if reaches_host(driver, options) and not access.on(CONTAINERS_PRIVILEGED, host.pk):
        raise denied(CONTAINERS_PRIVILEGED, host.name)
    flags = {name: bool(body.get(name)) for name in ("internal", "attachable", "ipv6")}
    asked: dict[str, Any] = {
        "Driver": driver,
        "Internal": flags["internal"],
        "Attachable": flags["attachable"],
        "EnableIPv6": flags["ipv6"],
        "Options": options,
        "Labels": labels,
    }
    if subnets:
        words = {"subnet": "Subnet", "gateway": "Gateway", "range": "IPRange"}
        asked["IPAM"] = {"Config": [{words[key]: value for key, value in one.items()} for one in subnets]}
    with transaction.atomic():
        MADE.forget_failed(host, name)
        if name in FIXED or Network.objects.filter(host=host, name=name).exists():
            raise Conflict(f"{host.name} has a network {name!r} already", code="name_taken", params={"name": name})
        network = Network(host=host, name=name, driver=driver, subnets=subnets, options=options, labels=labels, **flags)
        network.save(force_insert=True)
        args = {"id": str(network.pk), "name": name, "network": asked}
        order = order_create(
            host=host, op="network.create", args=args, target=network, actor=access.actor, not_after=not_after
        )
        hints.changed(kind="network", action="created", ids=[network.pk], host_id=host.pk, order_id=order.pk)
    return network, order


def reaches_host(driver: str, options: Mapping[str, str]) -> bool:
    """Whether its containers would stand on a link of the host's, or be reached past its addresses and ports."""
    return driver != "bridge" or not _WITHIN.issuperset(options)


def network_remove(*, network: Network, actor: Actor, not_after: datetime | None = None) -> Order | None:
    """Order the removal; a record that never came to be goes at once, without an order.

    Raises:
        Conflict: every engine has it.
    """
    if network.name in FIXED:
        raise Conflict(f"Every engine has {network.name}: it cannot be removed", code="fixed_network")
    with transaction.atomic():
        if MADE.dismissed(network):
            return None
        order = order_create(
            host=network.host, op="network.remove", args=identity(network), target=network, actor=actor,
            not_after=not_after,
        )  # fmt: skip
        MADE.touch(network.pk, network.host_id, "updated")
    return order


def network_join(
    *, network: Network, verb: str, container: uuid.UUID, engine_id: str, actor: Actor,
    extra: Mapping[str, Any], not_after: datetime | None = None,
) -> Order:  # fmt: skip
    """Order a container on to a network, or off it.

    Args:
        verb: connect or disconnect.
        container: our id; `engine_id` where it is known.
    """
    who = {"id": str(container), **({"engine_id": engine_id} if engine_id else {})}
    args = {"network": identity(network), "container": who, **extra}
    return order_create(
        host=network.host, op=f"network.{verb}", args=args, target=network, actor=actor, not_after=not_after
    )


def identity(network: Network) -> dict[str, str]:
    """How an order names a network."""
    if network.engine_id:
        return {"engine_id": network.engine_id, "name": network.name}
    return {"id": str(network.pk), "name": network.name}


def container_on(host: Host, reference: str) -> Use:
    """A container of the host, by our id or its name, as the other apps may know it.

    Raises:
        NotFound: none.
    """
    rows = Use.objects.filter(host=host)
    ident = readings.identifier(reference)
    found = rows.filter(container_id=ident).first() if ident else rows.filter(container_name=reference).first()
    if found is None:
        raise NotFound(f"{host.name} has no container {reference}", code="no_such_container")
    return found


def _subnet(n: int, one: Mapping[str, str]) -> dict[str, str]:
    try:
        subnet = ipaddress.ip_network(one["subnet"])
    except ValueError as error:
        raise invalid_field(f"/subnets/{n}/subnet", "bad_subnet", f"Not a subnet: {error}") from None
    if one.get("gateway"):
        try:
            inside = ipaddress.ip_address(one["gateway"]) in subnet
        except ValueError:
            inside = False
        if not inside:
            detail = f"{one['gateway']} is no address inside {subnet}"
            raise invalid_field(f"/subnets/{n}/gateway", "bad_gateway", detail)
    return {key: value for key, value in one.items() if value}


def networks_observed(*, host: Host, items: Sequence[Mapping[str, Any]]) -> None:
    """Write some networks as they are now."""
    now = timezone.now()
    changed = []
    with transaction.atomic():
        for item in items:
            engine_id = readings.text(item.get("engine_id"), 64)
            if not engine_id:
                continue
            values = observed(item)
            row = Network.objects.filter(host=host, engine_id=engine_id).first() or _awaited(host, item)
            if row is None:
                row = Network(host=host, engine_id=engine_id, observed_at=now, **values)
                row.save(force_insert=True)
                changed.append(row.pk)
            elif row.engine_id != engine_id or any(getattr(row, key) != value for key, value in values.items()):
                Network.objects.filter(pk=row.pk).update(engine_id=engine_id, version=F("version") + 1, **values)
                changed.append(row.pk)
            Network.objects.filter(pk=row.pk).update(observed_at=now)
        if changed:
            hints.changed(kind="network", action="updated", ids=changed, host_id=host.pk)


def observed(item: Mapping[str, Any]) -> dict[str, Any]:
    """A report as columns."""
    words = {"Subnet": "subnet", "Gateway": "gateway", "IPRange": "range"}
    config = readings.mapping(item.get("ipam")).get("Config")
    subnets = [
        {words[key]: readings.text(value) for key, value in one.items() if key in words and value}
        for one in (config if isinstance(config, list) else [])
        if isinstance(one, dict)
    ]
    return {
        "name": readings.text(item.get("name")),
        "state": Network.State.PRESENT,
        "driver": readings.text(item.get("driver"), 64),
        "scope": readings.text(item.get("scope"), 16),
        "subnets": [one for one in subnets if one.get("subnet")],
        "internal": bool(item.get("internal")),
        "attachable": bool(item.get("attachable")),
        "ipv6": bool(item.get("enable_ipv6")),
        "options": readings.texts(item.get("options")),
        "labels": readings.texts(item.get("labels")),
        "engine_created_at": readings.moment(item.get("created_at")),
        "problem": None,
    }


def _awaited(host: Host, item: Mapping[str, Any]) -> Network | None:
    ident = readings.identifier(item.get("longshore_id"))
    return Network.objects.filter(pk=ident, host=host, engine_id="").first() if ident else None


def networks_gone(*, host: Host, engine_ids: Iterable[str]) -> None:
    """Some are no longer there."""
    MADE.gone(host, Network.objects.filter(host=host, engine_id__in=[*engine_ids]))


def networks_swept(*, host: Host, since: datetime) -> None:
    """A whole list has been written since `since`: what it did not name is gone."""
    MADE.gone(host, Network.objects.filter(host=host, observed_at__lt=since).exclude(engine_id=""))


def join_ended(order: Order) -> None:
    """Who is on it comes by reports of the containers."""
    MADE.touch(target_of(order), order.host_id, "updated")


def register() -> None:
    """Every op of networks."""
    MADE.register()
    outcomes.register("network.connect", ended=join_ended)
    outcomes.register("network.disconnect", ended=join_ended)
