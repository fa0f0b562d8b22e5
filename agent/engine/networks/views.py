"""Networks in Docker's JSON. No IO."""

from collections.abc import Callable, Iterable
from typing import Any

from agent.engine.networks.endpoint import Endpoint, Json, blank, stopped
from agent.engine.networks.host import read_mode
from agent.engine.networks.live import LiveSandbox
from agent.engine.networks.requests import SandboxRequest
from agent.engine.state.records import ContainerRecord, NetworkRecord
from agent.engine.state.times import rfc3339nano

OF_BRIDGE = (
    "EndpointID",
    "Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "MacAddress",
)


def inspect(
    record: NetworkRecord, users: Iterable[tuple[str, Endpoint]] = (), name_of: Callable[[str], str] = str
) -> Json:
    """``GET /networks/{id}``; a list entry has no users."""
    return {
        "Name": record.name,
        "Id": record.id,
        "Created": rfc3339nano(record.created_ns),
        "Scope": record.scope,
        "Driver": record.driver,
        "EnableIPv4": record.enable_ipv4,
        "EnableIPv6": record.enable_ipv6,
        "IPAM": record.ipam,
        "Internal": record.internal,
        "Attachable": record.attachable,
        "Ingress": record.ingress,
        "ConfigFrom": {"Network": record.config_from.get("Network") or ""},
        "ConfigOnly": record.config_only,
        "Containers": {container_id: _member(end, name_of(container_id)) for container_id, end in users},
        "Options": record.options,
        "Labels": record.labels,
    }


def _member(end: Endpoint, name: str) -> Json:
    found: Json = {"Name": name, "EndpointID": end.id, "MacAddress": end.mac}
    for version in (4, 6):
        one = end.of_version(version)
        found[f"IPv{version}Address"] = f"{one.address}/{one.plan.subnet.prefixlen}" if one else ""
    return found


def endpoint_settings(
    container: ContainerRecord, one: LiveSandbox | None, name_of: Callable[[str], str]
) -> dict[str, Json]:
    """``NetworkSettings.Networks``: as it is while the container runs, else what was asked."""
    if one is not None:
        return {name: end.settings() for name, end in one.endpoints.items()}
    if read_mode(container.network_mode).kind == "container":
        return {}
    known = container.network.endpoints
    return {
        name: stopped(known[name]) if name in known else blank(config)
        for name, config in SandboxRequest.of(container).wanted(name_of).items()
    }


def network_settings(
    container: ContainerRecord, one: LiveSandbox | None, name_of: Callable[[str], str]
) -> dict[str, Any]:
    """``NetworkSettings`` of inspect; the fields at its top are those of the default bridge."""
    endpoints = endpoint_settings(container, one, name_of)
    on_bridge = endpoints.get("bridge") or blank(None)
    return {
        "Bridge": "",
        "SandboxID": container.network.sandbox_id,
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": container.network.ports if one is not None else {},
        "SandboxKey": container.network.sandbox_key,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{key: on_bridge[key] for key in OF_BRIDGE},
        "Networks": endpoints,
    }
