"""Every way into a container, built once: its log, its stdio, execs, files, samples, health.

Nothing here starts or stops a container. What it needs to know of runs comes from the records, the events and the exit
watcher.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from agent.engine.containers import sources
from agent.engine.containers.files.archive import Archive
from agent.engine.containers.health import HealthMonitor
from agent.engine.containers.io.attach import Attaching
from agent.engine.containers.io.exec import Execs
from agent.engine.containers.io.execspec import ProcessMaker
from agent.engine.containers.io.runs import Runs
from agent.engine.containers.logs.drivers.forward import Forwarding
from agent.engine.containers.logs.gaps import Gaps
from agent.engine.containers.logs.reader import Logs
from agent.engine.containers.logs.rotate import Rotator
from agent.engine.containers.ops import Volumes
from agent.engine.containers.stats import Host, Stats
from agent.engine.events import EventBus
from agent.engine.kernel.cgroups import Hierarchy
from agent.engine.kernel.inotify import Watcher
from agent.engine.paths import Paths
from agent.engine.runtime.base import Runtime
from agent.engine.runtime.exits import Exits
from agent.engine.state.locks import Locks
from agent.engine.state.records import ContainerRecord
from agent.engine.state.repository import Containers
from agent.engine.state.times import rfc3339nano
from agent.engine.storage.snapshots import Snapshots


class Access:
    """The ways into all containers.

    Args:
        paths: where everything lies.
        containers: their records.
        events: what happens.
        runtime: for execs.
        exits: knows when runs end.
        hierarchy: the host's cgroups.
        locks: the containers' own, so that a copy and a start do not meet.
        snapshots: mounts their file systems.
        volumes: what is mounted in them.
        settled: waits until the remains of a container's last run are gone, its mount among them.
        journal: systemd-journald's socket.
    """

    def __init__(
        self,
        *,
        paths: Paths,
        containers: Containers,
        events: EventBus,
        runtime: Runtime,
        exits: Exits,
        hierarchy: Hierarchy,
        locks: Locks,
        snapshots: Snapshots,
        volumes: Volumes,
        settled: Callable[[str], Awaitable[None]],
        journal: Path,
    ) -> None:
        self._containers, self._locks, self._snapshots, self._settled = containers, locks, snapshots, settled
        self._events = events
        self._watcher = Watcher()
        self.hierarchy = hierarchy
        self.runs = Runs(events, containers.find, exits.wait)
        self.logs = Logs(self._watcher)
        self.forwarding = Forwarding(paths.container, self._watcher, self.runs.when_ended, journal)
        self.attaching = Attaching(self.logs, self.runs, lambda id_: paths.bundle(id_) / "attach")
        self.execs = Execs(
            runtime, events, containers.find, ProcessMaker(paths.bundle), paths.execs, exits.watch, self._first_pids
        )
        self._volumes = volumes
        self.archive = Archive(self._mounted, events, self._placed)
        self.stats = Stats(Host.read(hierarchy), containers.find)
        self._health = HealthMonitor(events, containers.find, containers.save, self.execs)
        gaps = Gaps(paths.containers, self._gap)
        self._rotator = Rotator(self._running, lambda id_: paths.bundle(id_) / "ctl", gaps)
        self._tasks: list[asyncio.Task[None]] = []

    def _running(self) -> list[ContainerRecord]:
        return [record for record in self._containers if record.state.alive]

    def _gap(self, record: ContainerRecord, begin_ns: int, end_ns: int) -> None:
        times = {"from": rfc3339nano(begin_ns), "until": rfc3339nano(end_ns)}
        self._events.publish("container", "log_gap", record.id, record.event_attributes(**times))

    def _first_pids(self) -> set[int]:
        return {record.state.pid for record in self._containers}

    @contextlib.asynccontextmanager
    async def _mounted(self, record: ContainerRecord) -> AsyncIterator[Path]:
        if record.state.alive:
            yield self._snapshots.merged(record.id)
            return
        async with self._locks.hold(record.id):
            await self._settled(record.id)
            root = await self._snapshots.mount(record.id)
            try:
                yield root
            finally:
                now = self._containers.find(record.id)
                if now is None or not now.state.alive:
                    await self._snapshots.unmount(record.id)

    @contextlib.asynccontextmanager
    async def _placed(self, record: ContainerRecord) -> AsyncIterator[dict[str, Path]]:
        """Where the volumes and images of a container that does not run lie, mounted as long as the block runs."""
        # Nobody else's: another copy of the same container may end before this one.
        holder = f"{record.id}-{secrets.token_hex(4)}"
        found: dict[str, Path] = {}
        try:
            for number, point in enumerate(record.mounts):
                if point.type == "volume":
                    found[point.destination] = await self._volumes.acquire(
                        point.name, holder, destination=point.destination, rw=point.rw, propagation=point.propagation
                    )
                elif point.type == "image":
                    found[point.destination] = await self._snapshots.mount(sources.image_key(record.id, number))
            yield found
        finally:
            for number, point in enumerate(record.mounts):
                if point.type == "volume":
                    await self._volumes.release(point.name, holder)
                elif point.type == "image":
                    await self._snapshots.unmount(sources.image_key(record.id, number))

    def start(self) -> None:
        """Begin health checks and log rotation, once the records say what really runs."""
        self.execs.adopt()
        self.forwarding.resume(record.id for record in self._containers)
        self._tasks = [
            asyncio.create_task(self._health.run(self._running()), name="health"),
            asyncio.create_task(self._rotator.run(), name="log rotation"),
        ]

    async def close(self) -> None:
        """End what runs for us; containers and detached execs go on."""
        self.archive.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.forwarding.close()
        await self.execs.close()
        self._watcher.close()
