"""A request for a network, read: what the client asked for, before anything is chosen. Values to values, no IO."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.engine.errors import Conflict, Denied, Invalid, NotFound, System
from agent.engine.networks import options
from agent.engine.state.records import NetworkRecord

Json = dict[str, Any]
PREDEFINED = {"bridge": "bridge", "host": "host", "none": "null"}
DRIVERS = ("bridge", *options.ON_PARENT)
CONFIG_ONLY_DRIVER = "null"
SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)
UNSUPPORTED = "are not supported if the network depends on a configuration network"


@dataclass(frozen=True, slots=True)
class Definition:
    """One network as asked for."""

    name: str
    driver: str
    enable_ipv4: bool
    enable_ipv6: bool
    internal: bool
    attachable: bool
    config_only: bool
    config_from: str
    options: dict[str, str]
    labels: dict[str, str]
    ipam_options: Any
    subnets: tuple[Json, ...]
    """``IPAM.Config``."""


def read(request: Mapping[str, object]) -> Definition:
    """Understand the body of a create request.

    Raises:
        Denied, Invalid, NotFound, System: in dockerd's words.
    """
    driver = str(request.get("Driver") or "bridge")
    _check_driver(driver, request)
    given = request.get("IPAM")
    settings: Json = dict(given) if isinstance(given, dict) else {}
    if settings.get("Driver") not in (None, "", "default"):
        raise NotFound(f'plugin "{settings["Driver"]}" not found')
    source = request.get("ConfigFrom")
    if source and request.get("ConfigOnly"):
        raise Denied("a configuration network cannot depend on another configuration network")
    chosen = _strings(request.get("Options"))
    return Definition(
        name=str(request.get("Name") or ""),
        driver=CONFIG_ONLY_DRIVER if request.get("ConfigOnly") else driver,
        enable_ipv4=_switch(request, chosen, "EnableIPv4", options.IPV4, True),
        enable_ipv6=_switch(request, chosen, "EnableIPv6", options.IPV6, False),
        internal=bool(request.get("Internal")),
        attachable=bool(request.get("Attachable")),
        config_only=bool(request.get("ConfigOnly")),
        config_from=str(source.get("Network") or "") if isinstance(source, dict) else "",
        options=chosen,
        labels=_strings(request.get("Labels")),
        ipam_options=settings.get("Options"),
        subnets=tuple(_as_given(one) for one in settings.get("Config") or [] if any(one.values())),
    )


def inherited(wanted: Definition, source: NetworkRecord) -> Definition:
    """What a network takes over from its configuration network.

    Raises:
        NotFound: that is an ordinary network.
        Denied: both say something.
    """
    if not source.config_only:
        raise NotFound(f'configuration network "{source.name}" does not exist')
    if wanted.labels or wanted.subnets or wanted.ipam_options or wanted.enable_ipv6 or not wanted.enable_ipv4:
        raise Denied(f"user specified configurations {UNSUPPORTED}")
    if wanted.options:
        raise Denied(f"network driver options {UNSUPPORTED}")
    return replace(
        wanted,
        enable_ipv4=source.enable_ipv4,
        enable_ipv6=source.enable_ipv6,
        options=dict(source.options),
        labels=dict(source.labels),
        ipam_options=source.ipam.get("Options"),
        subnets=tuple(source.ipam.get("Config") or ()),
    )


def check_name(name: str, taken: bool) -> None:
    """A name that a new network can have.

    Raises:
        System, Denied, Conflict: it cannot.
    """
    if not name.strip():
        raise System(f"invalid name: {name}")
    if name in PREDEFINED or name == "default":
        raise Denied(f"operation is not permitted on predefined {name} network ")
    if taken:
        raise Conflict(f"network with name {name} already exists")


def _check_driver(driver: str, request: Mapping[str, object]) -> None:
    if driver in ("host", "null"):
        raise Denied(f'only one instance of "{driver}" network is allowed')
    scope = request.get("Scope") or "local"
    if request.get("Ingress"):
        raise Denied("Ingress network can only be global scope network")
    if scope == "swarm":
        raise Denied("cannot create a swarm scoped network when swarm is not active")
    if driver == "overlay" or scope != "local":
        raise System(SWARM)
    if driver not in DRIVERS:
        raise NotFound(f'plugin "{driver}" not found')
    if request.get("ConfigOnly") and (request.get("Internal") or request.get("Attachable")):
        raise Denied(
            "configuration network can only contain network specific fields. "
            "Network operator fields like [ ingress | internal | attachable | scope ] are not supported."
        )


def _switch(request: Mapping[str, object], chosen: dict[str, str], field: str, option: str, default: bool) -> bool:
    asked = request.get(field)
    if asked is not None:
        return bool(asked)
    if option not in chosen:
        return default
    if chosen[option] not in options.BOOLEANS:
        raise Invalid(f'driver-opt "{option}" is not a valid bool')
    return options.BOOLEANS[chosen[option]]


def _as_given(config: Mapping[str, object]) -> Json:
    return {key: value for key, value in config.items() if value}


def _strings(given: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
