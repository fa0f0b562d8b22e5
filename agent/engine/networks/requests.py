"""What a container's start asks of the networks, and what it gets. Values only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.engine.errors import Invalid
from agent.engine.kernel.idmaps import IdMap
from agent.engine.networks import host, ports
from agent.engine.networks.endpoint import check_options, check_shape
from agent.engine.networks.ipam import parse_address
from agent.engine.networks.ports import PortRequest
from agent.engine.state.records import ContainerRecord, NetworkState

Json = dict[str, Any]
HOST_GATEWAY = "host-gateway"
LINKS = "network can't be used with links. This would result in undefined behavior"
IP_NEEDS_USER_NETWORK = "user specified IP address is supported on user defined networks only"
IP_NEEDS_SUBNET = "user specified IP address is supported only when connecting to networks with user configured subnets"
ALIAS_NEEDS_USER_NETWORK = "network-scoped alias is supported only for containers in user defined networks"


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """One container's wishes."""

    container_id: str
    name: str
    hostname: str
    network_mode: str = "default"
    domainname: str = ""
    endpoints: Mapping[str, Json] = field(default_factory=dict)
    """Network name → EndpointSettings as asked; empty: the network that the mode names."""
    unplugged: bool = False
    """No endpoints means no network."""
    mac: str = ""
    """``Config.MacAddress``, for the mode's network."""
    port_bindings: Mapping[str, Any] = field(default_factory=dict)
    exposed: tuple[str, ...] = ()
    publish_all: bool = False
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    ids: IdMap | None = None
    """The container gets a user namespace with this map."""
    users: str = ""
    """The user namespace of another container that it shares instead."""

    @classmethod
    def of(cls, record: ContainerRecord) -> "SandboxRequest":
        """From a container's record."""
        config, given = record.config, record.host_config
        return cls(
            container_id=record.id,
            name=record.name,
            hostname=config.get("Hostname") or "",
            domainname=config.get("Domainname") or "",
            network_mode=record.network_mode,
            endpoints=record.endpoints_config,
            unplugged=record.unplugged or bool(config.get("NetworkDisabled")),
            mac=config.get("MacAddress") or "",
            port_bindings=given.get("PortBindings") or {},
            exposed=tuple(config.get("ExposedPorts") or ()),
            publish_all=bool(given.get("PublishAllPorts")),
            dns=tuple(given.get("Dns") or ()),
            dns_search=tuple(given.get("DnsSearch") or ()),
            dns_options=tuple(given.get("DnsOptions") or ()),
            extra_hosts=tuple(given.get("ExtraHosts") or ()),
        )

    def port_requests(self) -> list[PortRequest]:
        """Published ports, read."""
        return ports.requests(self.port_bindings, self.exposed, self.publish_all)

    def wanted(self, name_of: Callable[[str], str] = str) -> dict[str, Json]:
        """Networks to join: the mode's first, then the others by name.

        Args:
            name_of: from what a client wrote (a name, an id) to the network's name.
        """
        mode = host.read_mode(self.network_mode)
        # A container that has left "none" may join others.
        left = mode.kind == "none" and (self.unplugged or (bool(self.endpoints) and "none" not in self.endpoints))
        if mode.kind != "bridge" and not left:
            return {mode.target: dict(self.endpoints.get(mode.target) or {})}
        first = name_of(mode.target)
        given: dict[str, Json] = {}
        for ref, config in self.endpoints.items():
            given.setdefault(name_of("bridge" if ref == "default" else ref), {}).update(config or {})
        if not given and not self.unplugged:
            given = {first: {}}
        if self.mac and first in given:
            given[first].setdefault("MacAddress", self.mac)
        return dict(sorted(given.items(), key=lambda item: (item[0] != first, item[0])))

    @property
    def names(self) -> str:
        """The container's own names in its hosts file."""
        return f"{self.hostname}.{self.domainname} {self.hostname}" if self.domainname else self.hostname


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the container runs in."""

    netns_path: Path | None
    """None: the namespace of the engine's process."""
    hosts_path: Path
    resolv_path: Path
    hostname_path: Path
    state: NetworkState
    """For the container's record."""
    hostname: str = ""
    """Of the container whose namespace is shared; empty where the container's own counts."""

    @property
    def ports(self) -> dict[str, list[dict[str, str]] | None]:
        """``NetworkSettings.Ports``."""
        return self.state.ports

    @property
    def endpoints(self) -> dict[str, Json]:
        """``NetworkSettings.Networks``."""
        return self.state.endpoints


def split_extra_hosts(lines: tuple[str, ...], gateway: str) -> list[tuple[str, str]]:
    """``name:address`` or ``name=address``; ``host-gateway`` is the default bridge's gateway.

    Raises:
        Invalid: neither.
    """
    found = []
    for line in lines:
        name, mark, address = line.partition("=") if "=" in line else line.partition(":")
        if address == HOST_GATEWAY:
            address = gateway
        try:
            parse_address(address.strip("[]"))
        except ValueError:
            mark = ""
        if not name or not mark:
            raise Invalid(f'bad format for add-host: "{line}"')
        found.append((address.strip("[]"), name))
    return found


def check_mode(asked: Mapping[str, Any], host_config: Mapping[str, Any]) -> list[str]:
    """What cannot go with the network mode; warnings of what is left out.

    Args:
        asked: the container's ``Config`` as the client gave it, before defaults.
        host_config: its ``HostConfig``.

    Raises:
        Invalid: ``conflicting options``, in dockerd's words.
    """
    mode = host.read_mode(host_config.get("NetworkMode") or "default")
    if mode.kind == "container":
        for given, words in (
            (asked.get("Hostname"), "hostname and the network mode"),
            (host_config.get("Dns"), "dns and the network mode"),
            (host_config.get("ExtraHosts"), "custom host-to-IP mapping and the network mode"),
            (asked.get("MacAddress"), "mac-address and the network mode"),
            (host_config.get("PortBindings"), "port publishing and the container type network mode"),
            (host_config.get("PublishAllPorts"), "port publishing and the container type network mode"),
            (asked.get("ExposedPorts"), "port exposing and the container type network mode"),
        ):
            if given:
                raise Invalid(f"conflicting options: {words}")
        if host_config.get("Links"):
            raise Invalid(f"conflicting options: container type {LINKS}")
    if mode.kind == "host" and host_config.get("Links"):
        raise Invalid(f"conflicting options: host type {LINKS.replace('network ', 'networking ')}")
    if mode.kind == "host" and host_config.get("PortBindings"):
        return ["Published ports are discarded when using host network mode"]
    return []


def check_endpoints(endpoints: Mapping[str, Json | None]) -> None:
    """Addresses and options that a create or connect request names must be such.

    Raises:
        Invalid: one is not.
    """
    for config in endpoints.values():
        check_shape(config or {})
        asked = (config or {}).get("IPAMConfig") or {}
        for key, version in (("IPv4Address", 4), ("IPv6Address", 6)):
            text = asked.get(key) or ""
            try:
                good = not text or parse_address(text).version == version
            except ValueError:
                good = False
            if not good:
                raise Invalid(f"invalid IPv{version} address: {text}")
        check_options(config or {})
