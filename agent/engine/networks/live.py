"""A running container's sandbox as the engine holds it: endpoints, bound ports, relays, its resolver."""

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from agent.engine.kernel.networkers import NetWorkers
from agent.engine.networks.catalogue import Catalogue
from agent.engine.networks.endpoint import Assigned, Endpoint
from agent.engine.networks.firewall import PortRule
from agent.engine.networks.ports import Binding
from agent.engine.networks.relay import TcpRelay, UdpRelay
from agent.engine.networks.resolver import Resolver
from agent.engine.state.records import ContainerRecord


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
    relays: list[TcpRelay | UdpRelay] = field(default_factory=list)
    resolver: Resolver | None = None

    def next_ifname(self) -> str:
        """The lowest free ``ethN``."""
        used = {one.ifname for one in self.endpoints.values()}
        return next(name for number in range(len(used) + 1) if (name := f"eth{number}") not in used)

    async def start_relays(self, workers: NetWorkers) -> None:
        """Serve the bound sockets that no rule covers, and TCP while the rules are missing."""
        target = target_of(self.endpoints.values())
        if target is None:
            return
        for binding in self.bindings:
            where = (target, binding.request.container_port)
            relay: TcpRelay | UdpRelay
            if binding.socket.type == socket.SOCK_STREAM:
                relay = TcpRelay(workers, binding.socket, where)
            elif binding.socket.family == socket.AF_INET6:
                relay = UdpRelay(workers, binding.socket, where)
            else:
                continue
            await relay.start()
            self.relays.append(relay)

    def close(self) -> None:
        """Stop serving; port numbers are the caller's to give back."""
        for relay in self.relays:
            relay.close()
        self.relays.clear()
        if self.resolver is not None:
            self.resolver.close()
            self.resolver = None


def target_of(endpoints: Iterable[Endpoint]) -> str | None:
    """The address that published ports lead to: IPv4 of the first network that is not internal."""
    for end in endpoints:
        if not end.internal and (four := end.of_version(4)) is not None:
            return str(four.address)
    return None


def rebuilt(record: ContainerRecord, catalogue: Catalogue, links: Mapping[str, str]) -> list[Endpoint]:
    """Endpoints of a running container from what its record says of its run, and its links by MAC."""
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
                ifname=links.get(settings.get("MacAddress") or "", ""),
                addresses=tuple(addresses),
                internal=network.internal,
            )
        )
    return found


def all_rules(bindings: Sequence[Binding], target: str | None) -> list[PortRule]:
    """Rewriting rules of these bindings."""
    if target is None:
        return []
    return [rule for binding in bindings if (rule := binding.rule(target)) is not None]
