"""Volumes for whoever runs containers: create, find, remove; hold one while a container runs.

Which containers name a volume is read from their records, so that it cannot be forgotten; who of them runs, and so
needs it mounted, is ``holding``'s. A volume that only a plugin knows gets its record when somebody first names it.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.engine.errors import Conflict, EngineError, NotFound, System
from agent.engine.events import EventBus
from agent.engine.kernel.failpoints import failpoint
from agent.engine.paths import Paths
from agent.engine.state.locks import Locks
from agent.engine.state.records import ContainerRecord, VolumeRecord
from agent.engine.state.repository import Containers, Volumes
from agent.engine.storage.faults import kernel_errors
from agent.engine.volumes import copyup
from agent.engine.volumes.discovery import Places
from agent.engine.volumes.driver import Driver, Found
from agent.engine.volumes.drivers import Drivers
from agent.engine.volumes.holding import Holding
from agent.engine.volumes.local import LocalDriver

NOWHERE = Places()


_PRUNING = "/prune"  # no volume's name


class VolumeService:
    """All volumes of one engine."""

    def __init__(
        self,
        *,
        paths: Paths,
        volumes: Volumes,
        containers: Containers,
        events: EventBus,
        places: Places = NOWHERE,
        owner: tuple[int, int] = (0, 0),
    ) -> None:
        """
        Args:
            paths: of the engine.
            volumes: what is known of each.
            containers: who may use them.
            events: where their making and removal is told.
            places: of volume plugins.
            owner: of new local volumes: who is root in containers.
        """
        self._volumes = volumes
        self._containers = containers
        self._events = events
        self._locks = Locks()
        self.drivers = Drivers(LocalDriver(paths.volumes, paths.tmp, owner), places)
        self._holding = Holding(volumes, self.drivers, events, self._locks)
        self.acquire, self.release = self._holding.acquire, self._holding.release

    async def recover(self, running: Sequence[ContainerRecord]) -> None:
        """Count who runs, finish removals that a crash cut short, adopt data directories that have no record."""
        local = self.drivers.local
        found = {one.name for one in await local.list()}
        for volume in self._volumes.all():
            if volume.driver == local.name and volume.name not in found:
                await self._volumes.delete(volume.id)
        await self._holding.recover(running)
        for name in sorted(found - {volume.name for volume in self._volumes}):
            await self._volumes.save(_record(name, local.name, str(local.path(name))))

    async def close(self) -> None:
        """End what still waits for a plugin."""
        await self._holding.close()

    def get(self, name: str) -> VolumeRecord:
        """The volume of this name, as the records have it.

        Raises:
            NotFound: ``get NAME: no such volume``.
        """
        record = self._volumes.find(name)
        if record is None:
            raise NotFound(f"get {name}: no such volume")
        return record

    def list(self) -> Sequence[VolumeRecord]:
        """Every volume that has a record, by name."""
        return sorted(self._volumes.all(), key=lambda volume: volume.name)

    def here(self) -> Sequence[VolumeRecord]:
        """Those whose data is a plain directory of this host: what is measured, and what a prune may remove."""
        return [one for one in self.list() if one.driver == self.drivers.local.name and not one.options]

    async def everything(self) -> tuple[Sequence[VolumeRecord], Sequence[str]]:
        """Every volume, also those that only a plugin knows, and a warning for each plugin that does not answer."""
        found, warnings = await self.drivers.lists()
        records = {record.name: record for record in self._volumes}
        for driver, volumes in found.items():
            for one in volumes:
                known = records.get(one.name)
                if known is None:
                    records[one.name] = _record(one.name, driver, one.mountpoint, created_ns=0)
                elif known.driver == driver and one.mountpoint:
                    records[one.name] = msgspec.structs.replace(known, mountpoint=one.mountpoint)
        return sorted(records.values(), key=lambda volume: volume.name), warnings

    async def inspect(self, name: str) -> tuple[VolumeRecord, Found]:
        """The volume of this name and what its driver says of it now.

        Raises:
            NotFound: there is none.
            System, Unavailable: its plugin does not answer.
        """
        record = self._volumes.find(name)
        if record is None:
            held = await self.drivers.holding(name) if name else None
            if held is None:
                raise NotFound(f"get {name}: no such volume")
            driver, found = held
            return _record(name, driver.name, found.mountpoint, created_ns=0, scope=await driver.scope()), found
        if record.driver == self.drivers.local.name:
            return record, Found(name, record.mountpoint)
        now = await self._look(record, "get")
        if now is None:
            if not self.users(name):
                await self._forget(record)
            raise NotFound(f"get {name}: no such volume")
        return msgspec.structs.replace(record, mountpoint=now.mountpoint or record.mountpoint), now

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
        unnamed = not name if anonymous is None else anonymous
        driver = driver or (self.drivers.local.name if unnamed else "")
        name = name or secrets.token_hex(32)
        try:
            async with self._locks.hold(name):
                if (existing := await self._existing(name, driver)) is not None:
                    return existing
                record = await self._make(name, driver, dict(options or {}), dict(labels or {}), anonymous=unnamed)
        except EngineError as error:
            raise type(error)(f"create {name}: {error}") from error
        self._events.publish("volume", "create", name, {"driver": record.driver})
        return record

    async def _existing(self, name: str, driver: str) -> VolumeRecord | None:
        record = self._volumes.find(name)
        if record is None:
            if driver or not self.drivers.anywhere:
                return None
            held = await self.drivers.holding(name)
            if held is None:
                return None
            scope = await held[0].scope()
            return await self._volumes.save(_record(name, held[0].name, held[1].mountpoint, scope=scope))
        if driver:
            await self.drivers.get(driver)
        if record.driver != self.drivers.local.name:
            try:
                there = await self._look(record, "create")
            except EngineError as error:
                raise Conflict(
                    f"found reference to volume '{name}' in driver '{record.driver}', but got an error while checking "
                    f"the driver: {error}: volume name must be unique"
                ) from error
            if there is None:
                if self.users(name):
                    raise Conflict(
                        f"found references to volume '{name}' in driver '{record.driver}' but the volume was not found "
                        "in the driver -- you may need to remove containers referencing this volume or force remove "
                        "the volume to re-create it: volume name must be unique"
                    )
                await self._forget(record)
                return None
        if driver and record.driver != driver:
            raise Conflict(f"driver '{record.driver}' already has volume '{name}': volume name must be unique")
        return record

    async def _make(
        self, name: str, driver: str, options: dict[str, str], labels: dict[str, str], *, anonymous: bool
    ) -> VolumeRecord:
        kind: Driver = await self.drivers.get(driver)
        found = await kind.find(name) if kind.counts else None
        with kernel_errors("making the volume"):
            mountpoint = found.mountpoint if found else await kind.create(name, options)
        try:
            failpoint("volume.made")
            scope = await kind.scope()
            fields: dict[str, Any] = {"labels": labels, "options": options, "anonymous": anonymous, "scope": scope}
            saved = await self._volumes.save(_record(name, kind.name, mountpoint, **fields))
        except BaseException:
            if found is None:
                with contextlib.suppress(EngineError):
                    await kind.remove(name)
            raise
        failpoint("volume.saved")
        return saved

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume that no container names.

        Args:
            name: of the volume.
            force: one that is not there is fine, and so is a plugin that is gone.

        Raises:
            NotFound: there is none, unless ``force``.
            Conflict: ``volume is in use``, with the containers' ids.
            System, Unavailable: its plugin does not do it.
        """
        async with self._locks.hold(name):
            record = self._volumes.find(name)
            if record is None:
                held = await self.drivers.holding(name) if name and self.drivers.anywhere else None
                if held is None:
                    if force:
                        return
                    raise NotFound(f"get {name}: no such volume")
                record = _record(name, held[0].name, held[1].mountpoint)
            if users := self.users(name):
                raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")
            try:
                driver = await self.drivers.get(record.driver)
                await self._holding.settle(record)
                await driver.remove(name)
            except EngineError as error:
                if not force:
                    words = f"remove {name}: {error}"
                    raise (System if isinstance(error, NotFound) else type(error))(words) from error
            try:
                failpoint("volume.removed")
            finally:
                # Its data is gone: whatever happens now, there is no such volume.
                await self._forget(record)
            failpoint("volume.forgotten")
        self._events.publish("volume", "destroy", name, {"driver": record.driver})

    async def prune(self, matches: Callable[[VolumeRecord], bool]) -> tuple[Sequence[str], int]:
        """Remove every unused volume of this host that matches; their names, and the bytes that were freed.

        Raises:
            Conflict: it is being done already.
        """
        if self._locks.held(_PRUNING):
            raise Conflict("a prune operation is already running")
        async with self._locks.hold(_PRUNING):
            return await self._prune(matches)

    async def _prune(self, matches: Callable[[VolumeRecord], bool]) -> tuple[Sequence[str], int]:
        removed = []
        freed = 0
        for record in self.here():
            if matches(record) and not self.users(record.name):
                size = await self.usage(record.name)
                try:
                    await self.remove(record.name)
                except EngineError:
                    continue
                removed.append(record.name)
                freed += max(size, 0)
        self._events.publish("volume", "prune", "", {"reclaimed": str(freed)})
        return removed, freed

    async def copy_up(self, name: str, root: Path, inside: str, subpath: str = "") -> None:
        """Fill the volume from the image, if it is empty. For a container's first start, after ``acquire``.

        Args:
            root: the container's root filesystem, mounted.
            inside: where the volume will be, in the container.
            subpath: what of it will be there.
        """
        async with self._locks.hold(name):
            record = self.get(name)
            try:
                await asyncio.to_thread(copyup.copy_up, root, inside, Path(record.mountpoint), subpath)
            except OSError as error:
                raise System(f"volume {name} cannot be filled from the image: {error}") from error

    async def usage(self, name: str) -> int:
        """Bytes of the volume's files; -1 where they lie elsewhere, as on a server or with a plugin."""
        record = self.get(name)
        if record.driver != self.drivers.local.name or record.options.get("device"):
            return -1
        return await asyncio.to_thread(_size, Path(record.mountpoint))

    async def _look(self, record: VolumeRecord, doing: str) -> Found | None:
        try:
            return await (await self.drivers.get(record.driver)).find(record.name)
        except EngineError as error:
            words = f'error while checking if volume "{record.name}" exists in driver "{record.driver}": {error}'
            words = words if doing == "create" else f"{doing} {record.name}: {words}"
            raise (System if isinstance(error, NotFound) else type(error))(words) from error

    async def _forget(self, record: VolumeRecord) -> None:
        await self._volumes.delete(record.name)
        self._holding.forget(record)


def _record(name: str, driver: str, mountpoint: str, *, created_ns: int | None = None, **fields: Any) -> VolumeRecord:
    created = time.time_ns() if created_ns is None else created_ns
    return VolumeRecord(name=name, driver=driver, mountpoint=mountpoint, created_ns=created, **fields)


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
