"""What every verb on networks works with: built once by the service, handed to each."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.engine.config import EngineConfig
from agent.engine.events import EventBus
from agent.engine.kernel import namespaces
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.networkers import Home, NetWorkers
from agent.engine.networks import bridge, hostfiles, parents
from agent.engine.networks.catalogue import Catalogue
from agent.engine.networks.definition import DRIVERS
from agent.engine.networks.endpoint import Endpoint
from agent.engine.networks.hostfiles import Resolv
from agent.engine.networks.live import LiveSandbox
from agent.engine.networks.names import needs_resolver, resolver_of
from agent.engine.networks.options import ON_PARENT
from agent.engine.networks.parking import Parking
from agent.engine.networks.ports import Ports
from agent.engine.networks.rules import Rules
from agent.engine.networks.sandbox import Port, Wire
from agent.engine.paths import Paths
from agent.engine.state.records import NetworkRecord
from agent.engine.state.repository import Containers

log = logging.getLogger(__name__)

HOST_RESOLV = Path("/etc/resolv.conf")
SYSTEMD_RESOLV = Path("/run/systemd/resolve/resolv.conf")
SYSTEMD_STUB = "127.0.0.53"
HOST_HOSTS = Path("/etc/hosts")


def host_resolv() -> Resolv:
    """The resolvers of the engine's host. Where all it has is systemd's stub, those behind it, as dockerd does."""
    found = hostfiles.parse_resolv(read(HOST_RESOLV))
    if found.nameservers == (SYSTEMD_STUB,):
        behind = hostfiles.parse_resolv(read(SYSTEMD_RESOLV))
        return behind if behind.nameservers else found
    return found


def read(path: Path) -> str:
    """A file of the host that may be missing."""
    try:
        return path.read_text()
    except OSError:
        return ""


@dataclass
class Ops:
    """Shared state of the networks."""

    config: EngineConfig
    paths: Paths
    containers: Containers
    events: EventBus
    workers: NetWorkers
    catalogue: Catalogue
    rules: Rules
    ports: Ports
    live: dict[str, LiveSandbox] = field(default_factory=dict)
    generation: int = 0
    """Counts changes of who is on which network."""
    made: set[str] = field(default_factory=set)
    """Networks whose link is there."""
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    place: Callable[[int], None] = lambda _: None
    """Puts a process where a stop of the engine does not reach."""
    parking: Parking = field(init=False)

    def __post_init__(self) -> None:
        self.parking = Parking(self.paths.run / "standin", self.config.netns, self.live, self.name_of, self.place)

    def users(self, network_id: str) -> list[tuple[str, Endpoint]]:
        """Running containers on a network, with their endpoints."""
        return [
            (one.container_id, end)
            for one in self.live.values()
            for end in one.endpoints.values()
            if end.network_id == network_id
        ]

    def name_of(self, container_id: str) -> str:
        """A running container's name, as it is now."""
        record = self.containers.find(container_id)
        return record.name if record is not None else self.live[container_id].name

    async def ensure_link(self, record: NetworkRecord) -> None:
        """The network's link and rules are there. The engine makes a link when it is first needed.

        Raises:
            System: it cannot be made.
        """
        if record.id in self.made or record.driver not in DRIVERS:
            return
        async with self.making:
            if record.id not in self.made:
                await self.workers.run(lambda home: self._make(home, record))
                self.made.add(record.id)

    async def remove_link(self, record: NetworkRecord) -> None:
        """Take the network's rules and link away."""

        def unmake(home: Home) -> None:
            if record.driver in ON_PARENT:
                parents.remove(record, self.rules.table, self.catalogue.all())
                return
            self.rules.remove_bridge(home, record.bridge)
            failpoint("network.unruled")
            bridge.remove(record.bridge, self.rules.table)
            failpoint("network.unlinked")

        if record.config_only:
            return
        async with self.making:
            # First of all: where this fails half-way, the next start on the network makes the rest anew.
            self.made.discard(record.id)
            await self.workers.run(unmake)

    def _make(self, home: Home, record: NetworkRecord) -> None:
        if record.driver in ON_PARENT:
            parents.ensure(record, self.rules.table)
            failpoint("network.linked")
            return
        plans = self.catalogue.plans(record.id)
        bridge.ensure(record, plans, self.rules.table)
        failpoint("network.linked")
        self.rules.add_bridge(home, bridge.rules_of(record, plans))
        failpoint("network.ruled")

    def link_of(self, record: NetworkRecord) -> str:
        """The host's link of a network; empty where it has none."""
        return parents.read(record).parent if record.driver in ON_PARENT else record.bridge

    def wire(self, end: Endpoint) -> Wire:
        """What the kernel needs to know of an endpoint's link."""
        network = self.catalogue.find(end.network_id)
        if network.driver in ON_PARENT:
            return Wire(end, parents.child(network))
        options = bridge.read(network)
        return Wire(end, Port(network.bridge, options.mtu, isolated=not options.icc))

    async def start_resolver(
        self, one: LiveSandbox, dns: Sequence[str], *, fresh: bool = True, held: Sequence[socket.socket] = ()
    ) -> None:
        """Serve names inside the sandbox, if it is on a network that has them.

        Args:
            dns: servers that the container asked for.
            fresh: false where an earlier engine may have served it.
            held: its sockets by UDP and TCP, which the stand-in kept.
        """
        if one.resolver is None and needs_resolver(one):
            one.servers, one.dns = hostfiles.upstream(host_resolv(), dns), dns
            resolver = resolver_of(one, self.live, self.name_of, lambda: self.generation)
            if held:
                await resolver.serve(self.workers, one.path, *held)
            else:
                await resolver.start(self.workers, one.path, fresh=fresh)
            one.resolver = resolver

    def unbuild(self, home: Home, one: LiveSandbox) -> None:
        """Rules, ports and namespace of a sandbox, in a worker."""
        self.rules.unpublish(home, one.rules)
        self.rules.unguard(home, one.endpoints.values())
        self.ports.release(one.bindings)
        one.rules, one.bindings, one.target = [], [], None
        namespaces.remove_network(one.path)

    async def teardown(self, one: LiveSandbox) -> None:
        """Everything of a sandbox but its addresses."""
        one.close()
        dropping = asyncio.create_task(self.parking.drop(one.container_id))
        try:
            await self.workers.run(lambda home: self.unbuild(home, one))
        finally:
            await dropping

    def tell(self, record: NetworkRecord, action: str) -> None:
        """An event about a network."""
        self.events.publish("network", action, record.id, {"name": record.name, "type": record.driver})

    def tell_endpoint(self, end: Endpoint, action: str, container_id: str) -> None:
        """A container has come to a network or gone from it."""
        self.generation += 1
        attributes = {"container": container_id, "name": end.network, "type": end.driver}
        self.events.publish("network", action, end.network_id, attributes)
