"""The engine's composition root: builds each service once, recovers, serves, and shuts down in order.

Start: lock the root, open the state, build, find out what is true and finish what was begun, serve. Shutdown (SIGTERM,
SIGINT): stop serving, end what runs for clients, close. Containers run on either way.
"""

import asyncio
import contextlib
import gc
import grp
import logging
import os
import resource
import signal
import sys
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from agent.engine.api import backends, server, tls
from agent.engine.api.routers import (
    absent,
    build,
    containers,
    distribution,
    exec,
    images,
    networks,
    streams,
    system,
    volumes,
)
from agent.engine.api.schema.system import Facts
from agent.engine.build.service import BuildService
from agent.engine.commandline import parse
from agent.engine.config import EngineConfig
from agent.engine.containers import pause, recovery
from agent.engine.containers.access import Access
from agent.engine.containers.oci import apparmor, labels
from agent.engine.containers.oci.seccomp import FilterCache
from agent.engine.containers.ops import Ops
from agent.engine.containers.options.machine import this_machine
from agent.engine.containers.service import ContainerService
from agent.engine.errors import EngineError, Invalid, System
from agent.engine.events import EventBus, EventFile
from agent.engine.images.service import ImageService, open_stores
from agent.engine.images.unpack import Limits
from agent.engine.kernel import (
    cgroups,
    files,
    idmaps,
    idmounts,
    machine,
    mounts,
    namespaces,
    programs,
    syscalls,
    userns,
)
from agent.engine.kernel.idmaps import IdMap
from agent.engine.networks.service import NetworkService
from agent.engine.paths import Paths
from agent.engine.registry.client import Registries
from agent.engine.runtime.conmon import Conmon
from agent.engine.runtime.crun import Crun, choose, usable
from agent.engine.runtime.exits import Exits
from agent.engine.runtime.runtimes import Runtimes
from agent.engine.state.db import Database
from agent.engine.state.journal import Journal
from agent.engine.state.locks import Locks
from agent.engine.state.repository import Containers, Networks, Volumes
from agent.engine.storage.drivers import choice
from agent.engine.volumes.discovery import Places
from agent.engine.volumes.service import VolumeService

log = logging.getLogger(__name__)

THREADS = 16
"""Workers for calls that block: one that waits for a disk must not hold up twenty starts."""
LAST_WORK = 10.0
"""Seconds that shutdown waits for what is under way."""


class Engine:
    """All parts of one engine, built and joined."""

    def __init__(self, config: EngineConfig) -> None:
        """Take the root and build; nothing runs yet.

        Raises:
            Conflict: another engine has this root.
            System: something that it needs is missing here.
        """
        self.config, self.paths = config, Paths.of(config)
        for directory in self.paths.all():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.paths.root.chmod(0o700)
        self._lock = files.lock(self.paths.lock)
        driver = choice.chosen(self.paths.root, config.storage_driver)
        self.database = Database(self.paths.database)
        self.records = Containers(self.database)
        self.events = EventBus(kept=EventFile(self.paths.events))
        self.locks, self.exits = Locks(), Exits()
        self.database.when_full = self._disk_is_full
        self.hierarchy = cgroups.detect()
        self.runtime = self._runtimes()
        self.ids = idmaps.of(config.userns_remap) if config.userns_remap else None
        content, layers, self.snapshots = open_stores(
            self.paths.root, self.database, lambda folder: choice.opened(driver, folder, self._place_mounter)
        )
        self.snapshots.roots = self.paths.roots
        if self.ids is not None:
            self._map(self.ids)
        self.registries = Registries(config.insecure_registries, (self.paths.root / "certs.d",))
        self.images = ImageService(
            database=self.database,
            content=content,
            layers=layers,
            snapshots=self.snapshots,
            containers=self.records,
            events=self.events,
            registries=self.registries,
            limits=Limits(bytes=config.layer_bytes, entries=config.layer_entries, floor=config.disk_floor),
        )
        self.networks = NetworkService(
            config=config,
            paths=self.paths,
            networks=Networks(self.database),
            containers=self.records,
            events=self.events,
            locks=self.locks,
            place=lambda pid: self._place_conmon(pid, ""),
        )
        self.volumes = VolumeService(
            paths=self.paths,
            volumes=Volumes(self.database),
            containers=self.records,
            events=self.events,
            places=Places(config.plugin_directories),
            owner=self.ids.root if self.ids else (0, 0),
        )
        self.ops = Ops(
            config=config,
            paths=self.paths,
            hierarchy=self.hierarchy,
            machine=this_machine(self.hierarchy),
            containers=self.records,
            journal=Journal(self.database),
            locks=self.locks,
            runtime=self.runtime,
            exits=self.exits,
            events=self.events,
            images=self.images,
            snapshots=self.snapshots,
            networks=self.networks,
            volumes=self.volumes,
            filters=FilterCache(
                config.seccomp_profile, self.paths.root / "seccomp", f"{self.runtime.name} {self.runtime.version}"
            ),
            ids=self.ids,
        )
        self.containers = ContainerService(self.ops)
        self.access = Access(
            paths=self.paths,
            containers=self.records,
            events=self.events,
            runtime=self.runtime,
            exits=self.exits,
            hierarchy=self.hierarchy,
            locks=self.locks,
            snapshots=self.snapshots,
            volumes=self.volumes,
            settled=self.ops.settled,
            journal=config.journal_socket,
        )
        self.ops.forgotten = self.access.execs.forget
        self.ops.forwarding = self.access.forwarding
        self.builds = BuildService(
            tmp=self.paths.tmp,
            caches=self.paths.root / "build",
            images=self.images,
            snapshots=self.snapshots,
            containers=self.containers,
            attaching=self.access.attaching,
            events=self.events,
        )
        self._runner: web.AppRunner | None = None
        self._tcp: asyncio.Server | None = None

    def _map(self, ids: IdMap) -> None:
        """Show the data root with the ids of user namespaces, to those who are root there and to no other user."""
        if not self.snapshots.mappable:
            raise Invalid(f"--userns-remap does not go with the storage driver {self.snapshots.driver}")
        root, mapped, users = self.paths.root, self.paths.mapped, self.paths.user_namespace("engine")
        mounts.unmount(mapped, lazy=True)
        namespaces.remove_network(users)
        userns.make(ids, users)
        try:
            with users.open("rb") as namespace:
                idmounts.clone(root, mapped, namespace.fileno())
        except OSError as error:
            raise System(f"user namespaces need idmapped mounts (Linux 5.19, ext4, xfs or btrfs): {error}") from error
        finally:
            namespaces.remove_network(users)
        # A container's root has to reach its own; nobody else on the host may.
        for directory in (self.paths.run, self.paths.roots):
            os.chown(directory, 0, ids.root[1])
            directory.chmod(0o710)
        self.snapshots.map(mapped, ids.root)

    def _runtimes(self) -> Runtimes:
        conmon, state, added = Conmon(self._place_conmon), self.paths.runtime, dict(self.config.runtimes)
        known = dict.fromkeys(usable(self.hierarchy), "") | added
        wanted = choose(self.config.runtime, self.hierarchy)
        default = Crun(wanted, state, conmon, known.pop(wanted, ""))
        others = {name: Crun(name, state, conmon, program) for name, program in known.items()}
        return Runtimes(default, others, self.paths.bundle)

    def _disk_is_full(self) -> None:
        log.error("the disk that holds %s is full: containers run on, what needs space is refused", self.paths.root)
        self.events.publish("daemon", "disk.full", str(self.paths.root), {"name": os.uname().nodename})

    def _place_conmon(self, pid: int, container_id: str) -> None:
        """Where a service manager's stop of the engine does not reach; its memory is not counted as the engine's."""
        group = f"{self.config.cgroup}/conmon"
        if self.hierarchy.version == 2:
            places = [self.hierarchy.directory(f"{group}/{container_id}", "")]
        else:
            systemd = self.hierarchy.directory(f"{group}/{container_id}", "name=systemd")
            places = [systemd, self.hierarchy.directory(group, "memory")]
        for directory in filter(None, places):
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "cgroup.procs").write_text(str(pid))

    def _place_mounter(self, pid: int) -> None:
        """Where nothing but its container's end ends it."""
        self._place_conmon(pid, "mounts")

    def routes(self) -> list[web.RouteDef]:
        """Every route of the API."""
        services = backends.Services(
            paths=self.paths,
            containers=self.records,
            events=self.events,
            images=self.images,
            snapshots=self.snapshots,
            networks=self.networks,
            volumes=self.volumes,
            access=self.access,
            lookup=self.containers.lookup,
        )
        views = backends.ContainerViews(services)
        return [
            *system.routes(backends.SystemViews(services, views, self.facts(), self.registries.login)),
            *containers.routes(self.containers, views),
            *streams.routes(views),
            *exec.routes(views),
            *images.routes(self.images, self.containers),
            *distribution.routes(self.images),
            *networks.routes(self.networks),
            *volumes.routes(self.volumes),
            *build.routes(self.builds),
            *absent.routes(),
        ]

    def facts(self) -> Facts:
        """What the engine says of itself."""
        system_name, system_version = machine.operating_system()
        id_file = self.paths.root / "engine-id"
        if not id_file.exists():
            files.write_durably(id_file, str(uuid.uuid4()).encode())
        uname = os.uname()
        return Facts(
            engine_id=id_file.read_text(),
            root=str(self.paths.root),
            name=uname.nodename,
            kernel=uname.release,
            operating_system=system_name,
            os_version=system_version,
            architecture=machine.architecture(),
            machine=uname.machine,
            cpus=self.ops.machine.cpus,
            memory=self.ops.machine.memory,
            cgroup_version=self.hierarchy.version,
            swap_limit=self.ops.machine.swap_limit,
            runtime=self.runtime.name,
            runtime_version=self.runtime.version,
            conmon_version=programs.version("conmon"),
            init_version=programs.version("catatonit"),
            seccomp=True,
            labels=self.config.labels,
            log_driver=self.config.log_driver,
            insecure=self.config.insecure_registries,
            warnings=self.runtime.warnings,
            runtimes=self.runtime.paths,
            apparmor=apparmor.present(),
            selinux=bool(labels.contexts()),
            userns=self.ids is not None,
            filesystem=mounts.filesystem_of(self.paths.root),
            driver=self.snapshots.driver,
        )

    async def recover(self) -> None:
        """Find what is true and finish what was begun. Nothing is served before."""
        began = time.perf_counter()
        intents = self.ops.journal.open_intents()
        ends = recovery.ended_meanwhile(self.ops)
        running = recovery.survivors(self.ops)
        await recovery.undo_strangers(self.ops, running)
        await recovery.remake_lost(self.ops)
        await pause.agree(self.ops, running)
        await self.volumes.recover(running)
        await self.networks.recover(running)
        await recovery.finish_intents(self.ops, intents)
        await recovery.settle(self.ops, ends)
        log.info(
            "recovered in %.2f s: %d running, %d ended meanwhile", time.perf_counter() - began, len(running), len(ends)
        )
        managed = [record.id for record in self.records if record.managed]
        await self.builds.recover(managed, [entry.name for entry in self.paths.snapshots.iterdir()])

    async def start(self) -> None:
        """Recover, then serve."""
        await self.recover()
        self.access.start()
        self._runner = await server.listen(server.application(self.routes()), self.config.socket)
        if self.config.socket_group:
            os.chown(self.config.socket, 0, grp.getgrnam(self.config.socket_group).gr_gid)
        if self.config.tcp is not None:
            self._tcp = await tls.listen(self.config.tcp, self.config.socket)

    async def close(self) -> None:
        """Stop serving and close, in order; containers run on."""
        self.ops.closing = True
        self.events.close()
        if self._tcp is not None:
            self._tcp.close()
        if self._runner is not None:
            await self._runner.cleanup()
        for task in self.ops.restarts.values():
            task.cancel()
        if self.ops.tasks:
            await asyncio.wait(tuple(self.ops.tasks), timeout=LAST_WORK)
        await self.access.close()
        await self.exits.close()
        self.ops.ooms.close()
        await self.networks.close()
        await self.volumes.close()
        self.snapshots.close()
        mounts.unmount(self.paths.mapped, lazy=True)
        self.database.close()
        with contextlib.suppress(FileNotFoundError):
            self.config.socket.unlink()


async def serve(config: EngineConfig) -> None:
    """Run one engine until it is told to stop."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="worker"))
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    syscalls.set_child_subreaper()
    # A container with ports and names takes about ten descriptors; the usual soft limit of 1024 would end at a hundred.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    engine = Engine(config)
    try:
        await engine.start()
        # What has been built lives as long as the process: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        log.info("serving %s with %s %s", config.socket, engine.runtime.name, engine.runtime.version)
        await stopping.wait()
    finally:
        await engine.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of ``python -m agent engine``."""
    try:
        config = parse(sys.argv[1:] if argv is None else argv)
        logging.basicConfig(
            level=logging.DEBUG if config.debug else logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        syscalls.spare_memory()
        asyncio.run(serve(config))
    except EngineError as error:
        sys.stderr.write(f"engine: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
