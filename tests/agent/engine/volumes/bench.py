"""What the tests of volumes share."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from agent.engine.events import EventBus
from agent.engine.paths import Paths
from agent.engine.state.records import ContainerRecord, MountPoint
from agent.engine.state.repository import Containers, Volumes
from agent.engine.volumes.service import VolumeService


@dataclass
class Bench:
    """The service and what a test needs around it."""

    service: VolumeService
    volumes: Volumes
    containers: Containers
    events: EventBus
    paths: Paths
    make: Callable[[], VolumeService]

    async def container(self, name: str, *volumes: str) -> ContainerRecord:
        """A container that names these volumes."""
        mounts = tuple(MountPoint(type="volume", source="", destination=f"/{one}", name=one) for one in volumes)
        return await self.containers.save(
            ContainerRecord(
                id=uuid.uuid5(uuid.NAMESPACE_OID, name).hex * 2,
                name=name,
                created_ns=1,
                path="",
                args=(),
                config={},
                host_config={},
                image_id="",
                image_ref="",
                mounts=mounts,
            )
        )

    def actions(self) -> list[tuple[str, str]]:
        """Events so far: action and volume."""
        return [(event["Action"], event["Actor"]["ID"]) for event in self.events.history()]
