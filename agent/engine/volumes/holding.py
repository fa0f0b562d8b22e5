"""Who holds which volume: it is mounted for the first container that runs with it, and let go after the last.

A plugin is told of each holder by an id, and may itself be away when one ends. So who holds a plugin's volume stands
in the volume's record before the plugin is asked to mount, and is taken out when it has confirmed the unmount: what a
crash or a dead plugin leaves is unmounted again, by the same id, when both are back.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.engine.errors import EngineError, NotFound, System
from agent.engine.events import EventBus
from agent.engine.state.locks import Locks
from agent.engine.state.records import ContainerRecord, VolumeRecord
from agent.engine.state.repository import Volumes
from agent.engine.volumes.drivers import Drivers

log = logging.getLogger(__name__)

_ID = 64
"""Length of a container's id: what copies files holds a volume by more than that."""


def mount_id(container_id: str) -> str:
    """What a plugin knows a holder by: the same after a crash, so that nothing is mounted twice or left."""
    return hashlib.sha256(container_id.encode()).hexdigest()


class Holding:
    """Mounts volumes for those who hold them."""

    def __init__(self, volumes: Volumes, drivers: Drivers, events: EventBus, locks: Locks) -> None:
        self._volumes, self._drivers, self._events, self._locks = volumes, drivers, events, locks
        self._holders: dict[str, set[str]] = {}
        self._leftovers: set[asyncio.Task[None]] = set()

    def held(self, name: str) -> bool:
        """Somebody holds it now."""
        return bool(self._holders.get(name))

    async def recover(self, running: Sequence[ContainerRecord]) -> None:
        """Count who runs, and unmount what nobody holds any more; plugins are asked beside the engine's start."""
        for record in running:
            for mount in record.mounts:
                if mount.type == "volume":
                    self._holders.setdefault(mount.name, set()).add(record.id)
        for volume in self._volumes.all():
            if volume.driver != self._drivers.local.name:
                if left := set(volume.holders) - self._holders.get(volume.name, set()):
                    self._later(volume.name, sorted(left))
            elif volume.name not in self._holders:
                await self._drivers.local.unmount(volume.name, volume.options, "")

    async def close(self) -> None:
        """End what still waits for a plugin; the records know what is left."""
        for task in self._leftovers:
            task.cancel()
        if self._leftovers:
            await asyncio.wait(self._leftovers)

    async def acquire(
        self, name: str, container_id: str, *, destination: str = "", rw: bool = True, propagation: str = ""
    ) -> Path:
        """Make a volume's data visible for a container that starts; idempotent for one container.

        Raises:
            NotFound: there is none.
            System, Unavailable: it cannot be mounted.
        """
        async with self._locks.hold(name):
            record = self._volumes.find(name)
            if record is None:
                raise NotFound(f"get {name}: no such volume")
            path = await self._mounted(record, container_id)
            self._holders.setdefault(name, set()).add(container_id)
        attributes = {
            "container": container_id[:_ID],
            "destination": destination,
            "driver": record.driver,
            "propagation": propagation,
            "read/write": "true" if rw else "false",
        }
        self._events.publish("volume", "mount", name, attributes)
        return path

    async def _mounted(self, record: VolumeRecord, container_id: str) -> Path:
        try:
            driver = await self._drivers.get(record.driver, patient=True)
            if driver.counts and container_id not in record.holders:
                record = await self._volumes.change(record.name, holders=(*record.holders, container_id))
            path = await driver.mount(record.name, record.options, mount_id(container_id))
        except EngineError as error:
            words = f"error while mounting volume '{record.mountpoint}': {error}"
            raise (System if isinstance(error, NotFound) else type(error))(words) from error
        if str(path) != record.mountpoint:
            await self._volumes.change(record.name, mountpoint=str(path))
        return path

    async def release(self, name: str, container_id: str) -> None:
        """A container has stopped; the last one to do so unmounts. Idempotent."""
        async with self._locks.hold(name):
            holders = self._holders.get(name, set())
            record = self._volumes.find(name)
            if container_id not in holders:
                if record is not None and container_id in record.holders:
                    # Its start has failed, perhaps since the plugin hangs: nobody has to wait for it once more.
                    self._later(name, [container_id])
                return
            holders.discard(container_id)
            if not holders:
                self._holders.pop(name, None)
            if record is None:
                return
            try:
                await self._unmount(record, container_id, last=not holders)
            except (EngineError, OSError) as error:
                log.warning("volume %s stays mounted: %s", name, error)
                self._later(name, [container_id])
        self._events.publish("volume", "unmount", name, {"container": container_id[:_ID], "driver": record.driver})

    async def _unmount(self, record: VolumeRecord, container_id: str, *, last: bool) -> None:
        if record.driver == self._drivers.local.name:
            if last:
                await self._drivers.local.unmount(record.name, record.options, "")
            return
        driver = await self._drivers.get(record.driver)
        await driver.unmount(record.name, record.options, mount_id(container_id))
        current = self._volumes.get(record.name)
        left = tuple(one for one in current.holders if one != container_id)
        await self._volumes.save(msgspec.structs.replace(current, holders=left), vital=True)

    async def settle(self, record: VolumeRecord) -> None:
        """Unmount for those who hold it in the plugin's eyes only. The caller holds the volume's lock.

        Raises:
            System, Unavailable: the plugin does not do it.
        """
        for holder in set(record.holders) - self._holders.get(record.name, set()):
            await self._unmount(record, holder, last=False)

    def _later(self, name: str, holders: Sequence[str]) -> None:
        """Tell the plugin beside everything else."""
        task = asyncio.create_task(self._let_go(name, holders))
        self._leftovers.add(task)
        task.add_done_callback(self._leftovers.discard)

    async def _let_go(self, name: str, holders: Sequence[str]) -> None:
        """After a crash of ours or of the plugin: tell it again, as often as it takes."""
        pause = 1.0
        while True:
            try:
                async with self._locks.hold(name):
                    record = self._volumes.find(name)
                    if record is None:
                        return
                    for holder in holders:
                        if holder in record.holders and holder not in self._holders.get(name, set()):
                            await self._unmount(record, holder, last=False)
            except EngineError as error:
                log.info("volume %s is not unmounted yet: %s", name, error)
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 60.0)

    def forget(self, record: VolumeRecord) -> None:
        """The volume is gone."""
        self._holders.pop(record.name, None)
