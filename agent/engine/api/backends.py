"""Joins the routers' Protocols to the services: what a handler asks for, answered by whoever knows it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agent.engine.api.params import Filters
from agent.engine.api.routers.volumes import inspect as volume_row
from agent.engine.api.schema import system
from agent.engine.containers import inspect, links, listing, top
from agent.engine.containers.access import Access
from agent.engine.containers.files.archive import Archive
from agent.engine.containers.io import attach
from agent.engine.containers.io.attach import Attaching
from agent.engine.containers.io.exec import Execs
from agent.engine.containers.logs.reader import LogOptions
from agent.engine.containers.oci.users import resolve
from agent.engine.errors import EngineError, NotFound
from agent.engine.events import EventBus
from agent.engine.images.service import ImageService
from agent.engine.kernel import machine
from agent.engine.networks.service import NetworkService
from agent.engine.paths import Paths
from agent.engine.state.records import ContainerRecord, Status
from agent.engine.state.repository import Containers
from agent.engine.state.times import rfc3339nano
from agent.engine.storage.snapshots import Snapshots
from agent.engine.volumes.service import VolumeService

Json = dict[str, Any]


@dataclass(frozen=True)
class Services:
    """What the views look into."""

    paths: Paths
    containers: Containers
    events: EventBus
    images: ImageService
    snapshots: Snapshots
    networks: NetworkService
    volumes: VolumeService
    access: Access
    lookup: Callable[[str], ContainerRecord]
    """A container by any of its names; raises NotFound."""


class ContainerViews:
    """Everything about containers that changes none: for the routers containers, streams and exec."""

    def __init__(self, services: Services) -> None:
        self._s = services

    @property
    def attaching(self) -> Attaching:
        return self._s.access.attaching

    @property
    def archive(self) -> Archive:
        return self._s.access.archive

    @property
    def execs(self) -> Execs:
        return self._s.access.execs

    def lookup(self, ref: str) -> ContainerRecord:
        """A container by any of its names."""
        return self._s.lookup(ref)

    async def inspect(self, ref: str, *, size: bool) -> Json:
        """A container's inspection."""
        record = self.lookup(ref)
        found = inspect.describe(
            record,
            network_settings=self._s.networks.network_settings(record),
            exec_ids=self.execs.of(record.id),
            graph=self._s.snapshots.graph(record.id),
            files={
                "ResolvConfPath": record.network.resolv_path,
                "HostnamePath": record.network.hostname_path,
                "HostsPath": record.network.hosts_path,
            },
            links=links.shown(record, self._s.containers.find),
        )
        return found | await self._sizes(record) if size else found

    async def _sizes(self, record: ContainerRecord) -> Json:
        written = await self._s.snapshots.usage(record.id)
        try:
            below = self._s.images.resolve(record.image_id).size
        except NotFound:
            below = 0
        return {"SizeRw": written, "SizeRootFs": written + below}

    def _image_name(self, record: ContainerRecord) -> str:
        try:
            same = self._s.images.id_of(record.image_ref) == record.image_id
        except EngineError:
            same = False
        return record.image_ref if same else record.image_id

    def _image_ids(self, ref: str) -> set[str]:
        try:
            image = self._s.images.resolve(ref)
        except EngineError:
            return set()
        return {image.id, *(child.id for child in self._s.images.children(image.id))}

    def _find(self, ref: str) -> ContainerRecord:
        try:
            return self.lookup(ref)
        except NotFound as error:
            raise NotFound(f"no such container {ref}") from error

    def _network_id(self, ref: str) -> str:
        try:
            return self._s.networks.find(ref).id
        except EngineError:
            return ref

    async def list(self, filters: Filters, *, everything: bool, limit: int, size: bool) -> Sequence[Json]:
        """Rows of containers, newest first."""
        context = listing.Context(find=self._find, image_ids=self._image_ids, network_id=self._network_id)
        selection = listing.Selection(filters, context)
        found = listing.select(self._s.containers, selection, everything=everything, limit=limit)
        linked = [record for record in self._s.containers if record.links]
        # Many containers have one image, and finding its name is half the work of a row.
        images: dict[tuple[str, str], str] = {}
        for record in found:
            key = (record.image_ref, record.image_id)
            images[key] = images.get(key) or self._image_name(record)
        rows = [
            inspect.summary(
                record,
                networks=self._s.networks.endpoint_settings(record),
                image=images[record.image_ref, record.image_id],
                aliases=[*links.names(record, linked)],
            )
            for record in found
        ]
        if size:
            for row, record in zip(rows, found, strict=True):
                row |= {key: value for key, value in (await self._sizes(record)).items() if value}
        return rows

    async def changes(self, ref: str) -> Sequence[tuple[str, int]]:
        """What a container has written over its image."""
        return [(change.path, int(change.kind)) for change in await self._s.snapshots.changes(self.lookup(ref).id)]

    async def top(self, ref: str, arguments: str) -> Json:
        """A container's processes."""
        record = self.lookup(ref)
        found = await top.top(self._s.access.hierarchy, record, arguments)
        self._s.events.publish("container", "top", record.id, record.event_attributes())
        return found

    async def stats_once(self, ref: str, *, one_shot: bool) -> Json:
        """A single sample."""
        return await self._s.access.stats.once(self.lookup(ref), one_shot=one_shot)

    def stats_stream(self, ref: str) -> AsyncGenerator[Json, None]:
        """Samples, one a second."""
        return self._s.access.stats.stream(self.lookup(ref).id)

    async def log_of(self, record: ContainerRecord, options: LogOptions) -> AsyncGenerator[bytes, None]:
        """A container's log as the bytes of an answer."""
        ended = self._s.access.runs.when_ended(record.id) if options.follow else None
        try:
            async for data in self._s.access.logs.read(record, options, ended):
                yield data
        finally:
            if ended is not None:
                ended.cancel()

    def attached(self, record: ContainerRecord, *, left: bool) -> None:
        """Tell that a client has attached, or has left by its keys."""
        self._s.events.publish("container", "detach" if left else "attach", record.id, record.event_attributes())

    def resize(self, ref: str, rows: int, columns: int) -> None:
        """Tell a container's terminal its size."""
        record = self.lookup(ref)
        attach.resize(record, self._s.paths.bundle(record.id) / "ctl", rows, columns)
        size = {"height": str(rows), "width": str(columns)}
        self._s.events.publish("container", "resize", record.id, record.event_attributes(**size))

    def owner_of_copies(self, record: ContainerRecord) -> tuple[int, int] | None:
        """Who owns what is copied in with ``cp -a``: the container's user, where it names one."""
        user = record.config.get("User") or ""
        if not user:
            return None
        root = Path(f"/proc/{record.state.pid}/root") if record.state.alive else self._s.snapshots.merged(record.id)
        found = resolve(root, user)
        return found.uid, found.gid


class Login(Protocol):
    """Tries credentials on a registry; gives the words of success, raises Unauthorized."""

    async def __call__(self, credentials: Mapping[str, Any], /) -> str: ...


class SystemViews:
    """The engine as a whole, for the router system."""

    def __init__(self, services: Services, containers: ContainerViews, facts: system.Facts, login: Login) -> None:
        self._s, self._containers, self._facts, self._login = services, containers, facts, login

    @property
    def events(self) -> EventBus:
        return self._s.events

    def version(self) -> Json:
        """``GET /version``."""
        return system.version(self._facts)

    async def info(self, version: tuple[int, int]) -> Json:
        """``GET /info``."""
        states = [record.state.status for record in self._s.containers if not record.managed]
        # asked where the bridges are, which may be another namespace than the engine's own
        forwarding = await self._s.networks.ops.workers.run(lambda _: machine.forwards())
        running = sum(state in {Status.RUNNING, Status.RESTARTING} for state in states)
        paused = states.count(Status.PAUSED)
        counts = system.Counts(
            running=running,
            paused=paused,
            stopped=len(states) - running - paused,
            images=len(self._s.images.list()),
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            tasks=len(asyncio.all_tasks()),
            listeners=len(self._s.events.subscribers),
            now=rfc3339nano(time.time_ns()),
            forwarding=forwarding,
            debug=False,
            volume_drivers=self._s.volumes.drivers.names,
            warnings=self._s.networks.warnings,
        )
        return system.info(self._facts, counts, version)

    async def disk_usage(self, kinds: set[str], version: tuple[int, int]) -> Json:
        """``GET /system/df``."""
        used = self._s.images.disk_usage(version)
        rows = await self._containers.list({}, everything=True, limit=0, size=True) if "container" in kinds else []
        return system.disk_usage(
            layers=used.layers_size,
            images=used.images,
            containers=rows,
            volumes=[await self._volume(record.name, version) for record in self._s.volumes.here()]
            if "volume" in kinds
            else [],
            kinds=kinds,
            asked=version,
        )

    async def _volume(self, name: str, version: tuple[int, int]) -> Json:
        size = await self._s.volumes.usage(name)
        users = len(self._s.volumes.users(name))
        return volume_row(self._s.volumes.get(name), version) | {"UsageData": {"RefCount": users, "Size": size}}

    async def login(self, credentials: Mapping[str, Any]) -> str:
        """``POST /auth``."""
        return await self._login(credentials)
