"""What every verb on containers works with, built once by the composition root, and what it asks of other nouns."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agent.engine.config import EngineConfig
from agent.engine.containers.oci.seccomp import FilterCache
from agent.engine.containers.options.limits import Machine
from agent.engine.containers.waits import Waits
from agent.engine.events import EventBus
from agent.engine.kernel.cgroups import Hierarchy
from agent.engine.kernel.idmaps import IdMap
from agent.engine.kernel.oom import Ooms
from agent.engine.networks.requests import Sandbox, SandboxRequest
from agent.engine.paths import Paths
from agent.engine.runtime.base import Runtime
from agent.engine.runtime.exits import Exits
from agent.engine.state.journal import Journal
from agent.engine.state.locks import Locks
from agent.engine.state.records import ContainerRecord, VolumeRecord
from agent.engine.state.repository import Containers

log = logging.getLogger(__name__)


class Image(Protocol):
    """An image, what a container takes from it."""

    @property
    def id(self) -> str: ...
    @property
    def chain_id(self) -> str: ...
    @property
    def defaults(self) -> dict[str, Any]: ...
    @property
    def config(self) -> dict[str, Any]: ...


class Images(Protocol):
    """Finds images; raises NotFound."""

    def resolve(self, ref: str) -> Image: ...


class Snapshots(Protocol):
    """Writable layers by container id."""

    @property
    def driver(self) -> str: ...
    def limits(self) -> bool: ...
    async def prepare(self, key: str, chain_id: str, size: int = 0) -> None: ...
    async def mount(self, key: str, *, volatile: bool = False, mapped: bool = False) -> Path: ...
    async def unmount(self, key: str) -> None: ...
    async def remove(self, key: str) -> None: ...
    async def usage(self, key: str) -> int: ...
    def belonging(self, key: str) -> Sequence[str]: ...


class Networks(Protocol):
    """A container's place in the networks."""

    async def attach(self, request: SandboxRequest) -> Sandbox: ...
    async def release(self, container_id: str) -> None: ...
    def renamed(self, container_id: str) -> None: ...


class Volumes(Protocol):
    """Named volumes."""

    async def create(
        self,
        name: str = "",
        *,
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        anonymous: bool | None = None,
    ) -> VolumeRecord: ...
    async def acquire(
        self, name: str, container_id: str, *, destination: str = "", rw: bool = True, propagation: str = ""
    ) -> Path: ...
    async def release(self, name: str, container_id: str) -> None: ...
    async def copy_up(self, name: str, root: Path, inside: str, subpath: str = "") -> None: ...
    async def remove(self, name: str, *, force: bool = False) -> None: ...


class Forwarding(Protocol):
    """Sends logs on, for the drivers that do."""

    async def prepare(self, record: ContainerRecord) -> None: ...
    def follow(self, container_id: str) -> None: ...
    async def drained(self, container_id: str) -> None: ...


class NotForwarding:
    """Logs stay where they are."""

    async def prepare(self, record: ContainerRecord) -> None:
        """Nothing to judge."""

    def follow(self, container_id: str) -> None:
        """Nothing to send."""

    async def drained(self, container_id: str) -> None:
        """Nothing to wait for."""


class StartAgain(Protocol):
    """Starts a container whose restart policy says so."""

    async def __call__(self, ops: "Ops", record: ContainerRecord, /) -> object: ...


@dataclass(slots=True)
class Ops:
    """Everything a verb needs. Verbs that change a container run under ``locks.hold(id)``."""

    config: EngineConfig
    paths: Paths
    hierarchy: Hierarchy
    machine: Machine
    containers: Containers
    journal: Journal
    locks: Locks
    runtime: Runtime
    exits: Exits
    events: EventBus
    images: Images
    snapshots: Snapshots
    networks: Networks
    volumes: Volumes
    filters: FilterCache
    ids: IdMap | None = None
    """Of the user namespaces that containers get; None: they have the host's."""
    waits: Waits = field(default_factory=Waits)
    cleanups: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    """Remains of an ended run being taken away, by container id; the next start waits for it."""
    restarts: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    """Restarts that wait for their back-off."""
    delays: dict[str, float] = field(default_factory=dict)
    """The back-off that the last restart waited for, by container id."""
    told: dict[str, int] = field(default_factory=dict)
    """Runs, by container id and start time of the process, whose end has been told but not yet recorded."""
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    forwarding: Forwarding = field(default_factory=NotForwarding)
    closing: bool = False
    forgotten: Callable[[str], None] = lambda _: None
    """Told the id of a container that is gone: others may remember things of it."""
    ooms: Ooms = field(init=False)
    start_again: "StartAgain" = field(init=False)
    """A restart policy's start: set by the service, since a start watches for the end that leads here."""

    def __post_init__(self) -> None:
        self.ooms = Ooms(self.hierarchy)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Work that outlives the request; waited for at shutdown, its failure logged."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def settled(self, container_id: str) -> None:
        """Wait until the remains of the container's last run are gone. The caller holds its lock, or is recovery."""
        while (cleanup := self.cleanups.get(container_id)) is not None:
            await asyncio.wait([cleanup])

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed: %s", task.get_name(), error, exc_info=error)

    def tell(self, record: ContainerRecord, action: str, time_ns: int | None = None, **more: str) -> None:
        """Publish a container's event."""
        self.events.publish("container", action, record.id, record.event_attributes(**more), time_ns)
