"""Volumes for whoever runs containers: create, find, remove; hold one while a container runs.

Which containers name a volume is read from their records, so that it cannot be forgotten; which of them run, and so
need it mounted, is counted in memory and rebuilt by ``recover``.
"""

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.engine.errors import Conflict, EngineError, NotFound, System
from agent.engine.events import EventBus
from agent.engine.kernel.failpoints import failpoint
from agent.engine.paths import Paths
from agent.engine.state.locks import Locks
from agent.engine.state.records import ContainerRecord, VolumeRecord
from agent.engine.state.repository import Containers, Volumes
from agent.engine.volumes import copyup
from agent.engine.volumes.driver import Driver
from agent.engine.volumes.local import LocalDriver, check_name

log = logging.getLogger(__name__)


class VolumeService:
    """All volumes of one engine."""

    def __init__(self, *, paths: Paths, volumes: Volumes, containers: Containers, events: EventBus) -> None:
        self._volumes = volumes
        self._containers = containers
        self._events = events
        self._local = LocalDriver(paths.volumes, paths.tmp)
        self._drivers: dict[str, Driver] = {self._local.name: self._local}
        self._mounted: dict[str, set[str]] = {}
        self._locks = Locks()

    async def recover(self, running: Sequence[ContainerRecord]) -> None:
        """Count who runs, finish removals that a crash cut short, adopt data directories that have no record."""
        for record in running:
            for mount in record.mounts:
                if mount.type == "volume":
                    self._mounted.setdefault(mount.name, set()).add(record.id)
        found = set(await asyncio.to_thread(self._local.volumes))
        for volume in self._volumes.all():
            if volume.driver == self._local.name and volume.name not in found:
                await self._volumes.delete(volume.id)
            elif volume.name not in self._mounted:
                await asyncio.to_thread(self._driver(volume.driver).unmount, volume.name, volume.options)
        for name in sorted(found - {volume.name for volume in self._volumes}):
            await self._volumes.save(self._record(name, {}, {}, anonymous=False))

    def get(self, name: str) -> VolumeRecord:
        """The volume of this name.

        Raises:
            NotFound: ``get NAME: no such volume``.
        """
        record = self._volumes.find(name)
        if record is None:
            raise NotFound(f"get {name}: no such volume")
        return record

    def list(self) -> list[VolumeRecord]:
        """Every volume, by name."""
        return sorted(self._volumes.all(), key=lambda volume: volume.name)

    def users(self, name: str) -> Sequence[str]:
        """Ids of the containers that name it, whether or not they run."""
        return [
            record.id
            for record in self._containers
            if any(mount.type == "volume" and mount.name == name for mount in record.mounts)
        ]

    async def create(
        self,
        name: str = "",
        *,
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        anonymous: bool | None = None,
    ) -> VolumeRecord:
        """Make a volume; one of that name that is there already is the answer.

        Args:
            name: empty: a random one, and the volume is anonymous.

        Raises:
            Invalid: the name or an option cannot be.
            NotFound: no such driver.
            Conflict: the name is another driver's.
        """
        given = dict(options or {})
        if name:
            check_name(name)
        unnamed = not name if anonymous is None else anonymous
        name = name or secrets.token_hex(32)
        try:
            kind = self._driver(driver or self._local.name)
        except NotFound as error:
            raise NotFound(f"create {name}: error looking up volume plugin {driver}: {error}") from error
        async with self._locks.hold(name):
            existing = self._volumes.find(name)
            if existing is not None:
                if driver and existing.driver != driver:
                    raise Conflict(f"create {name}: conflict: volume name must be unique")
                return existing
            kind.check(name, given)
            try:
                await asyncio.to_thread(kind.create, name)
                failpoint("volume.made")
            except OSError as error:
                raise System(f"create {name}: {error}") from error
            record = await self._volumes.save(self._record(name, given, dict(labels or {}), anonymous=unnamed))
            failpoint("volume.saved")
        self._events.publish("volume", "create", name, {"driver": kind.name})
        return record

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume that no container names.

        Raises:
            NotFound: there is none, unless ``force``.
            Conflict: ``volume is in use``, with the containers' ids.
        """
        async with self._locks.hold(name):
            if force and self._volumes.find(name) is None:
                return
            record = self.get(name)
            if users := self.users(name):
                raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")
            await asyncio.to_thread(self._driver(record.driver).remove, name)
            failpoint("volume.removed")
            await self._volumes.delete(name)
            failpoint("volume.forgotten")
        self._events.publish("volume", "destroy", name, {"driver": record.driver})

    async def prune(self, matches: Callable[[VolumeRecord], bool]) -> tuple[Sequence[str], int]:
        """Remove every unused volume that matches; their names, and the bytes that were freed."""
        removed = []
        freed = 0
        for record in self.list():
            if matches(record) and not self.users(record.name):
                size = await self.usage(record.name)
                try:
                    await self.remove(record.name)
                except (Conflict, NotFound):
                    continue
                removed.append(record.name)
                freed += size
        self._events.publish("volume", "prune", "", {"reclaimed": str(freed)})
        return removed, freed

    async def acquire(
        self, name: str, container_id: str, *, destination: str = "", rw: bool = True, propagation: str = ""
    ) -> Path:
        """Make a volume's data visible for a container that starts; idempotent for one container.

        Raises:
            NotFound: there is none.
            System: it cannot be mounted.
        """
        async with self._locks.hold(name):
            record = self.get(name)
            path = await asyncio.to_thread(self._driver(record.driver).mount, name, record.options)
            self._mounted.setdefault(name, set()).add(container_id)
        attributes = {
            "container": container_id,
            "destination": destination,
            "driver": record.driver,
            "propagation": propagation,
            "read/write": "true" if rw else "false",
        }
        self._events.publish("volume", "mount", name, attributes)
        return path

    async def release(self, name: str, container_id: str) -> None:
        """A container has stopped; the last one to do so unmounts. Idempotent."""
        async with self._locks.hold(name):
            holders = self._mounted.get(name, set())
            if container_id not in holders:
                return
            holders.discard(container_id)
            record = self._volumes.find(name)
            if record is None:
                return
            if not holders:
                self._mounted.pop(name, None)
                try:
                    await asyncio.to_thread(self._driver(record.driver).unmount, name, record.options)
                except (EngineError, OSError) as error:
                    log.warning("volume %s stays mounted: %s", name, error)
        self._events.publish("volume", "unmount", name, {"container": container_id, "driver": record.driver})

    async def copy_up(self, name: str, root: Path, inside: str) -> None:
        """Fill the volume from the image, if it is empty. For a container's first start, after ``acquire``.

        Args:
            root: the container's root filesystem, mounted.
            inside: where the volume will be, in the container.
        """
        async with self._locks.hold(name):
            record = self.get(name)
            try:
                await asyncio.to_thread(copyup.copy_up, root, inside, Path(record.mountpoint))
            except OSError as error:
                raise System(f"volume {name} cannot be filled from the image: {error}") from error

    async def usage(self, name: str) -> int:
        """Bytes of the volume's files."""
        return await asyncio.to_thread(_size, Path(self.get(name).mountpoint))

    def _driver(self, name: str) -> Driver:
        driver = self._drivers.get(name)
        if driver is None:
            raise NotFound(f'plugin "{name}" not found')
        return driver

    def _record(self, name: str, options: dict[str, str], labels: dict[str, str], *, anonymous: bool) -> VolumeRecord:
        return VolumeRecord(
            name=name,
            driver=self._local.name,
            mountpoint=str(self._local.path(name)),
            created_ns=time.time_ns(),
            labels=labels,
            options=options,
            anonymous=anonymous,
        )


def _size(path: Path) -> int:
    total = 0
    pending = [str(path)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
