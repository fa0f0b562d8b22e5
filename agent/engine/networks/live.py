"""A running container's sandbox as the engine holds it: endpoints, bound ports, relays, its resolver."""

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from agent.engine.kernel.networkers import NetWorkers
from agent.engine.networks import bridge, parents
from agent.engine.networks.catalogue import Catalogue
from agent.engine.networks.endpoint import Assigned, Endpoint, ordered
from agent.engine.networks.firewall import PortRule
from agent.engine.networks.options import ON_PARENT
from agent.engine.networks.ports import Binding, PortRequest
from agent.engine.networks.relay import TcpRelay, UdpRelay
from agent.engine.networks.resolver import Resolver
from agent.engine.state.records import ContainerRecord, NetworkRecord


@dataclass(frozen=True, slots=True)
class Target:
    """Where the published ports of a container lead."""

    addresses: Mapping[int, str]
    """IP version → the container's address."""
    routed: frozenset[int] = frozenset()
    """IP versions whose packets come to that address by themselves: there, nothing is rewritten and no port taken."""
    binding: str = ""
    """Host address of ports that name none; empty: the engine's setting."""

    @property
    def rewritten(self) -> dict[int, str]:
        return {version: address for version, address in self.addresses.items() if version not in self.routed}

    @property
    def served(self) -> frozenset[int]:
        """IP versions in which a port is taken at the host: IPv6 also where it can only be relayed, to IPv4."""
        found = frozenset(self.rewritten)
        return found | {6} if 4 in found and 6 not in self.addresses else found

    def near(self, version: int) -> str:
        """The address of this IP version, or the one that there is."""
        return self.addresses.get(version) or next(iter(self.addresses.values()))


@dataclass
class LiveSandbox:
    """Changed only by ``NetworkService``, under the container's lock."""

    container_id: str
    name: str
    hostname: str
    path: Path
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    bindings: list[Binding] = field(default_factory=list)
    rules: list[PortRule] = field(default_factory=list)
    target: Target | None = None
    """Where ``rules`` and ``relays`` lead."""
    relays: list[TcpRelay | UdpRelay] = field(default_factory=list)
    resolver: Resolver | None = None
    servers: Sequence[str] = ()
    """Whom its resolver asks for names of others."""
    dns: Sequence[str] = ()
    """Servers that the container asked for, where it did."""

    def next_ifname(self, prefix: str = "eth") -> str:
        """The lowest free ``ethN``."""
        used = {one.ifname for one in self.endpoints.values()}
        return next(name for number in range(len(used) + 1) if (name := f"{prefix}{number}") not in used)

    @property
    def ifnames(self) -> dict[str, str]:
        """Names of the links by network."""
        return {name: end.ifname for name, end in self.endpoints.items() if end.ifname}

    async def start_relays(self, workers: NetWorkers) -> None:
        """Serve the bound sockets that no rule covers, and TCP while the rules are missing."""
        target = self.target
        if target is None or self.relays:
            return
        for binding in self.bindings:
            bound, protocol = binding.socket, binding.request.protocol
            if bound is None or protocol == "sctp" or (protocol == "udp" and bound.family == socket.AF_INET):
                continue
            where = (target.near(binding.version), binding.request.container_port)
            relay = TcpRelay(workers, bound, where) if protocol == "tcp" else UdpRelay(workers, bound, where)
            await relay.start()
            self.relays.append(relay)

    def point_relays(self) -> None:
        """Let them lead where ``target`` says; connections that are open stay."""
        if self.target is not None:
            for relay in self.relays:
                relay.target = (self.target.near(relay.version), relay.target[1])

    def close_relays(self) -> None:
        """Stop serving published ports, which closes their sockets."""
        for relay in self.relays:
            relay.close()
        self.relays.clear()

    def close(self) -> None:
        """Stop serving; port numbers are the caller's to give back."""
        self.close_relays()
        if self.resolver is not None:
            self.resolver.close()
            self.resolver = None


def target_of(endpoints: Iterable[Endpoint], catalogue: Catalogue) -> Target | None:
    """Where published ports lead: to the bridge network that ranks first for the default route, if it leads out."""
    end = next((one for one in ordered([*endpoints]) if one.bridged and not one.internal), None)
    if end is None:
        return None
    options = bridge.read(catalogue.find(end.network_id))
    addresses = {one.address.version: str(one.address) for one in reversed(end.addresses)}
    routed = frozenset(version for version in addresses if options.mode(version) == "routed")
    return Target(dict(sorted(addresses.items())), routed, options.binding)


def ways(network: NetworkRecord) -> dict[str, Any]:
    """How packets for everywhere leave by this network: ``Endpoint.routed`` and ``direct``."""
    if network.driver == "bridge":
        options = bridge.read(network)
        return {"routed": frozenset(one for one in (4, 6) if options.mode(one) != "isolated")}
    if network.driver in ON_PARENT:
        parent = parents.read(network)
        closed = network.internal or parent.own
        return {"routed": frozenset() if closed else frozenset({4, 6}), "direct": parent.direct}
    return {}


def rebuilt(record: ContainerRecord, catalogue: Catalogue, links: Mapping[str, str]) -> list[Endpoint]:
    """Endpoints of a running container from what its record says of its run.

    Args:
        links: names of its links by network.
    """
    found: list[Endpoint] = []
    for name, settings in record.network.endpoints.items():
        network = catalogue.maybe(settings.get("NetworkID") or "")
        if network is None or not settings.get("EndpointID"):
            continue
        addresses = []
        for key in ("IPAddress", "GlobalIPv6Address"):
            if text := settings.get(key):
                address = ip_address(text)
                plan = next((one for one in catalogue.plans(network.id) if address in one.subnet), None)
                if plan is not None:
                    addresses.append(Assigned(address, plan))
        found.append(
            Endpoint(
                network_id=network.id,
                network=name,
                driver=network.driver,
                config=record.endpoints_config.get(name) or {},
                aliases=tuple(settings.get("Aliases") or ()),
                id=settings["EndpointID"],
                mac=settings.get("MacAddress") or "",
                ifname=links.get(name, ""),
                addresses=tuple(addresses),
                internal=network.internal,
                **ways(network),
            )
        )
    return found


def all_rules(bindings: Sequence[Binding], wanted: Iterable[PortRequest], target: Target | None) -> list[PortRule]:
    """Rules that lead these ports to the container."""
    if target is None:
        return []
    rewritten = target.rewritten
    rules = [rule for binding in bindings if (rule := binding.rule(rewritten)) is not None]
    for version in target.routed:
        address = target.addresses[version]
        rules += [PortRule(one.protocol, "", 0, address, one.container_port, routed=True) for one in wanted]
    return list(dict.fromkeys(rules))
