"""Networks for whoever runs containers: make and remove them, give a container its place, take it back.

A container's start calls ``attach``, its end ``release``; what a running container has is held in memory and rebuilt by
``recover`` from the containers' records, without touching them. Work in the kernel is done by worker threads in the
engine's network namespace; the loop only decides.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from agent.engine.config import EngineConfig
from agent.engine.errors import Denied, EngineError, Invalid, NotFound
from agent.engine.events import EventBus
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.networkers import NetWorkers
from agent.engine.kernel.nftwatch import NftWatch
from agent.engine.networks import attach, connect, recovery, views
from agent.engine.networks.catalogue import Catalogue
from agent.engine.networks.endpoint import Json
from agent.engine.networks.ipam import unique_local_pool
from agent.engine.networks.live import LiveSandbox
from agent.engine.networks.ops import Ops
from agent.engine.networks.ports import Ports
from agent.engine.networks.requests import Sandbox, SandboxRequest
from agent.engine.networks.rules import Rules
from agent.engine.paths import Paths
from agent.engine.state.locks import Locks
from agent.engine.state.lookup import resolve
from agent.engine.state.records import ContainerRecord, NetworkRecord
from agent.engine.state.repository import Containers, Networks

log = logging.getLogger(__name__)

RESTORE_EVERY = 20
"""Seconds between looks whether our tables are whole, where nobody says that they are not, and at firewalls."""
SETTLE = 0.5
"""Seconds from a removal of ours to the look: who flushes rules often goes on to load others."""


class NetworkService:
    """All networks of one engine."""

    def __init__(
        self,
        *,
        config: EngineConfig,
        paths: Paths,
        networks: Networks,
        containers: Containers,
        events: EventBus,
        locks: Locks | None = None,
        place: Callable[[int], None] = lambda _: None,
    ) -> None:
        """
        Args:
            locks: the containers' locks, shared with whoever starts and stops them.
            place: puts a process where a stop of the engine does not reach.
        """
        workers = NetWorkers(config.netns)
        self.ops = Ops(
            config=config,
            paths=paths,
            containers=containers,
            events=events,
            workers=workers,
            catalogue=Catalogue(networks, workers, config.address_pools, (unique_local_pool(config.key),)),
            rules=Rules(f"longshore-{config.key}"),
            ports=Ports(),
            place=place,
        )
        self._locks = locks or Locks()
        self._watch: asyncio.Task[None] | None = None
        self._removed = asyncio.Event()
        self._ear: NftWatch | None = None
        self.warnings: list[str] = []
        """What stands in the way of containers' packets, for ``docker info``."""

    async def recover(self, running: Sequence[ContainerRecord]) -> None:
        """Make memory, ports, resolvers and rules what the running containers need; remove what dead ones left."""
        await self.ops.workers.start()
        free = not any((record.network.endpoints.get("bridge") or {}).get("EndpointID") for record in running)
        changed = await self.ops.catalogue.ensure_predefined(self.ops.config, free=free)
        if changed is not None:
            await self.ops.remove_link(changed)
        held = await self.ops.parking.take_over()
        await recovery.recover(self.ops, running, held)
        await self.ops.parking.settle()
        await self._listen()
        self._watch = asyncio.create_task(self._keep_rules(), name="nftables")

    async def close(self) -> None:
        """Let go of sockets and threads. Containers keep their networks."""
        if self._watch is not None:
            self._watch.cancel()
        if self._ear is not None:
            asyncio.get_running_loop().remove_reader(self._ear.fileno())
            self._ear.close()
            self._ear = None
        self.ops.parking.close()
        for one in self.ops.live.values():
            one.close()
            for binding in one.bindings:
                binding.close()
        await asyncio.to_thread(self.ops.workers.close)

    def find(self, ref: str) -> NetworkRecord:
        """By id, name, or the beginning of an id.

        Raises:
            NotFound, Invalid: none, or several.
        """
        return self.ops.catalogue.find(ref)

    def list(self) -> list[NetworkRecord]:
        """Every network, oldest first."""
        return self.ops.catalogue.all()

    def in_use(self, network_id: str) -> bool:
        """A running container is on it."""
        return bool(self.ops.users(network_id))

    def inspect(self, record: NetworkRecord) -> Json:
        """Docker's JSON of a network, with its running containers."""
        return views.inspect(record, self.ops.users(record.id), self.ops.name_of)

    async def create(self, request: Mapping[str, object]) -> NetworkRecord:
        """Make a network and its bridge.

        Raises:
            Conflict, Denied, Invalid, System: see ``Catalogue.create``; nothing is left.
        """
        record = await self.ops.catalogue.create(request)
        try:
            failpoint("network.saved")
            await self.ops.ensure_link(record)
        except BaseException:
            with contextlib.suppress(EngineError, OSError):
                await self.ops.remove_link(record)
            await self.ops.catalogue.delete(record.id)
            raise
        self.ops.tell(record, "create")
        return record

    async def remove(self, ref: str) -> NetworkRecord:
        """Remove a network that no running container is on.

        Raises:
            NotFound: there is none.
            Denied: predefined, or in use.
        """
        record = self.find(ref)
        if record.predefined:
            raise Denied(f"{record.name} is a pre-defined network and cannot be removed")
        if any(one.config_from.get("Network") == record.name for one in self.list() if record.config_only):
            raise Denied(f'error while removing network: configuration network "{record.name}" is in use')
        if self.in_use(record.id):
            raise Denied(f"error while removing network: network {record.name} id {record.id} has active endpoints")
        await self.ops.remove_link(record)
        await self.ops.catalogue.delete(record.id)
        failpoint("network.forgotten")
        self.ops.tell(record, "destroy")
        return record

    async def prune(self, matches: Callable[[NetworkRecord], bool]) -> Sequence[str]:
        """Remove every unused network of the user's own that matches; names of those removed."""
        removed = []
        for record in self.list():
            spared = record.predefined or record.config_only or self.in_use(record.id)
            if not spared and matches(record):
                try:
                    await self.remove(record.id)
                except (NotFound, Denied):
                    continue
                removed.append(record.name)
        self.ops.events.publish("network", "prune", "", {"reclaimed": "0"})
        return removed

    async def attach(self, request: SandboxRequest) -> Sandbox:
        """Give a container its place; one that it still has is taken back first. See ``attach.attach``."""
        await self.release(request.container_id)
        started = time.perf_counter()
        found = await attach.attach(self.ops, request)
        log.debug("attached %s in %.1f ms", request.container_id[:12], (time.perf_counter() - started) * 1000)
        return found

    async def release(self, container_id: str) -> None:
        """Take a container's place back; of one that has none, nothing."""
        one = self.ops.live.pop(container_id, None)
        if one is None:
            return
        await self.ops.teardown(one)
        for end in one.endpoints.values():
            self.ops.catalogue.give_back(end)
            self.ops.tell_endpoint(end, "disconnect", container_id)

    def renamed(self, container_id: str) -> None:
        """A container has another name."""
        self.ops.parking.put(container_id)

    async def connect(self, network_ref: str, container_ref: str, config: Json | None) -> None:
        """Join a container to a network. See ``connect.connect``."""
        container = self._container(container_ref)
        network = self.find(network_ref)
        async with self._locks.hold(container.id):
            await connect.connect(self.ops, network, self.ops.containers.get(container.id), config or {})

    async def disconnect(self, network_ref: str, container_ref: str, *, force: bool = False) -> None:
        """Take a container out of a network. See ``connect.disconnect``.

        Raises:
            NotFound: no such container, in dockerd's words for a forced and an ordinary request.
        """
        network = self.find(network_ref)
        try:
            container = self._container(container_ref)
        except NotFound:
            if force:
                raise NotFound(f"endpoint {container_ref} not found") from None
            raise
        async with self._locks.hold(container.id):
            await connect.disconnect(self.ops, network, self.ops.containers.get(container.id), force=force)

    def _container(self, ref: str) -> ContainerRecord:
        if not ref:
            raise Invalid('invalid name or ID supplied: ""')
        containers = self.ops.containers
        return resolve(ref, containers.find, containers.names, (one.id for one in containers), "container")

    def sandbox(self, container_id: str) -> LiveSandbox | None:
        """What a running container has."""
        return self.ops.live.get(container_id)

    def endpoint_settings(self, container: ContainerRecord) -> dict[str, Json]:
        """``NetworkSettings.Networks`` of inspect."""
        return views.endpoint_settings(container, self.sandbox(container.id), self.ops.catalogue.name_of)

    def network_settings(self, container: ContainerRecord) -> Json:
        """``NetworkSettings`` of inspect, whole."""
        return views.network_settings(container, self.sandbox(container.id), self.ops.catalogue.name_of)

    async def _listen(self) -> None:
        """Hear of removals from our tables; where that cannot be, they are looked at now and then."""
        try:
            ear = await self.ops.workers.run(lambda _: NftWatch(self.ops.rules.table))
        except OSError as error:
            log.warning("changes of nftables cannot be listened to: %s", error)
            return
        self._ear = ear
        asyncio.get_running_loop().add_reader(ear.fileno(), self._hear, ear)

    def _hear(self, ear: NftWatch) -> None:
        if ear.removed():
            self._removed.set()

    async def _keep_rules(self) -> None:
        rules = self.ops.rules
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESTORE_EVERY):
                    await self._removed.wait()
                await asyncio.sleep(SETTLE)
            self._removed.clear()
            try:
                if await self.ops.workers.run(rules.restore):
                    log.warning("the nftables table %s was gone and has been restored", rules.table)
                await self.look_for_firewalls()
            except EngineError as error:
                log.warning("the nftables table %s cannot be checked: %s", rules.table, error)

    async def look_for_firewalls(self) -> None:
        """Note firewalls of others that cut containers off."""
        links = [record.bridge for record in self.list() if record.id in self.ops.made and not record.internal]
        found = await self.ops.workers.run(lambda home: self.ops.rules.foreign(home, list(filter(None, links))))
        for warning in found:
            if warning not in self.warnings:
                log.warning(warning.removeprefix("WARNING: "))
        self.warnings = found
