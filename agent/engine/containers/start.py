"""Let a container run.

Docker Engine API: ContainerStart. The order of things, each with its undo: mount the layer, join the networks and
take the volumes (side by side), make the processes, let them go, tell. An exit may come before this is through; it
waits for the container's lock.
"""

import asyncio
import contextlib
import dataclasses
import json
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from agent.engine.containers import exited, failures, links, prepare, remains, sharing, sources
from agent.engine.containers.ops import Ops
from agent.engine.errors import Conflict, EngineError, Invalid, NotModified, System
from agent.engine.kernel import cgroups, files, namespaces
from agent.engine.kernel.failpoints import failpoint
from agent.engine.networks.requests import Sandbox, SandboxRequest
from agent.engine.runtime.base import Launch, Processes, RuntimeRefused
from agent.engine.state.records import ContainerRecord, Health, State, Status
from agent.engine.storage.faults import translated

UNDONE_WITHIN = 5.0
PROCESSES = "processes"
"""File in the bundle with the pids of the run: what recovery adopts."""


def may_start(record: ContainerRecord) -> None:
    """Refuse what cannot be started.

    Raises:
        NotModified: it runs already.
        Conflict: paused, or being removed.
    """
    match record.state.status:
        case Status.PAUSED:
            raise Conflict("cannot start a paused container, try unpause instead")
        case Status.RUNNING:
            raise NotModified(f"Container {record.id} is already running")
        case Status.REMOVING | Status.DEAD:
            raise Conflict("container is marked for removal and cannot be started")


async def start(ops: Ops, record: ContainerRecord, *, by_hand: bool = True) -> ContainerRecord:
    """Start a container that does not run. The caller holds its lock.

    Args:
        ops: the engine's parts.
        record: the container.
        by_hand: asked for by a client, which forgets earlier restarts; not by a restart policy.

    Raises:
        EngineError: nothing runs, and nothing of the attempt is left.
    """
    cgroups.foresee_move()
    await ops.settled(record.id)
    intent = await ops.journal.begin("start", record.id)
    closing = ops.journal.closing(intent)
    try:
        failpoint("start.begun")
        async with contextlib.AsyncExitStack() as undo:
            sandbox, processes = await _run(ops, record, undo)
            undo.pop_all()
    except BaseException as error:
        failure = failures.translated(_known(error, record), record.path, ops.runtime.kind_of(record.runtime))
        await _failed(ops, record, failure, closing)
        if not isinstance(error, EngineError | OSError):
            raise
        raise failure.error from error
    now = time.time_ns()
    health = record.config.get("Healthcheck") or {}
    checked = bool(health.get("Test")) and health["Test"][0] != "NONE"
    fields: dict[str, Any] = {
        "network": sandbox.state,
        "state": State(
            status=Status.RUNNING,
            pid=processes.pid,
            pid_ticks=processes.ticks,
            conmon_pid=processes.conmon_pid,
            conmon_ticks=processes.conmon_ticks,
            started_ns=now,
            finished_ns=record.state.finished_ns,
            health=Health("starting") if checked else None,
        ),
        "stopped_by_hand": False,
    }
    if by_hand:
        fields["restart_count"] = 0
        ops.delays.pop(record.id, None)
    running = msgspec.structs.replace(ops.containers.get(record.id), **fields)
    await ops.containers.save(running, also=[closing])
    ops.forwarding.follow(record.id)
    failpoint("start.saved")
    ops.tell(running, "start")
    return running


def _known(error: BaseException, record: ContainerRecord) -> EngineError:
    if isinstance(error, EngineError):
        return error
    doing = f"starting container {record.name}"
    return translated(error, doing) if isinstance(error, OSError) else System(f"{doing}: {error}")


async def start_again(ops: Ops, record: ContainerRecord) -> ContainerRecord:
    """Start for a restart policy. The caller holds the container's lock."""
    return await start(ops, record, by_hand=False)


async def _run(ops: Ops, record: ContainerRecord, undo: contextlib.AsyncExitStack) -> tuple[Sandbox, Processes]:
    places: dict[str, Path] = {}
    ids = sharing.users_of(ops, record)
    request = SandboxRequest.of(record)
    if ids is not None:
        request = dataclasses.replace(request, ids=ids, users=sharing.shared_users(ops, record))
        # The runtime enters it by its path; from then on the container's processes keep it.
        undo.callback(namespaces.remove_network, ops.paths.user_namespace(record.id))
    rootfs, sandbox, _ = await _together(
        undo,
        (
            _mount(ops, record, mapped=ids is not None),
            lambda: ops.snapshots.unmount(record.id),
        ),
        (ops.networks.attach(request), lambda: ops.networks.release(record.id)),
        (sources.acquire(ops, record, places), lambda: sources.release(ops, record)),
    )
    failpoint("start.attached")
    for point in record.mounts:
        # At the first start only: a volume that its owner has emptied since stays empty.
        if point.type == "volume" and point.copy_up and not record.state.started_ns:
            await ops.volumes.copy_up(point.name, rootfs, point.destination, point.subpath)
    failpoint("start.filled")
    points, held = sources.located(record.mounts, places, ops.paths.parts / record.id)
    undo.callback(held.close)
    attached = msgspec.structs.replace(record, network=sandbox.state)
    undo.callback(sharing.release_memory, ops, record.id)
    try:
        linked = tuple(links.environment(attached, ops.containers.find))
        sharing.make_memory(ops, record)
        given, filter_key = await prepare.prepared(ops, record, rootfs, sandbox, points, linked)
    except Invalid as error:
        # The request was good when it was made: it is this host that has not what it names.
        raise System(str(error)) from error
    bundle, exit_dir = ops.paths.bundle(record.id), ops.paths.exits(record.id)
    launch = Launch(
        id=record.id,
        name=record.name,
        spec=prepare.build(record, given),
        bundle=bundle,
        log_path=Path(record.log_path),
        exit_dir=exit_dir,
        tty=record.tty,
        stdin=bool(record.config.get("OpenStdin")),
        stdin_once=bool(record.config.get("StdinOnce")),
        sync_log=not record.auto_remove,
        runtime=record.runtime,
    )
    if record.host_config.get("CgroupParent"):
        bundle.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(bundle / remains.GROUP, given.cgroup.encode())
    await ops.forwarding.prepare(record)
    undo.push_async_callback(_undone, ops, record.id)
    processes = await _create(ops, launch)
    held.close()
    if ids is not None:
        namespaces.remove_network(ops.paths.user_namespace(record.id))
    _keep_filter(ops, record.id, filter_key, compiled=given.seccomp_compiled)
    content = json.dumps([processes.pid, processes.ticks, processes.conmon_pid, processes.conmon_ticks])
    files.write(bundle / PROCESSES, content.encode())
    exited.watch(ops, record.id, processes)
    failpoint("start.created")
    await ops.runtime.start(record.id)
    failpoint("start.running")
    return sandbox, processes


async def _undone(ops: Ops, container_id: str) -> None:
    """End the processes of a start that failed, see them end, and take the rest away."""
    with contextlib.suppress(EngineError):
        await ops.runtime.delete(container_id)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(UNDONE_WITHIN):
            await ops.exits.wait(container_id)
    ops.exits.forget(container_id)
    await remains.tidied(ops, container_id)


async def _create(ops: Ops, launch: Launch) -> Processes:
    try:
        return await ops.runtime.create(launch)
    except RuntimeRefused as error:
        # A crash left the runtime's state behind: take it away, once.
        if "exist" not in str(error).lower() or launch.id not in str(error):
            raise
    await ops.runtime.delete(launch.id)
    return await ops.runtime.create(launch)


def _keep_filter(ops: Ops, container_id: str, key: str, *, compiled: str | None) -> None:
    reader = getattr(ops.runtime, "compiled_seccomp", None)
    if key and compiled is None and reader is not None and (program := reader(container_id)):
        ops.filters.keep(key, program)


async def _mount(ops: Ops, record: ContainerRecord, *, mapped: bool) -> Path:
    rootfs = await ops.snapshots.mount(record.id, volatile=record.auto_remove or record.managed, mapped=mapped)
    failpoint("start.mounted")
    return rootfs


async def _together(undo: contextlib.AsyncExitStack, *steps: tuple[Coroutine[Any, Any, Any], Any]) -> list[Any]:
    """Run the steps side by side; undo those that were done when one fails."""
    outcomes = await asyncio.gather(*(work for work, _ in steps), return_exceptions=True)
    for _, reverse in steps:
        # Every undo is idempotent, so one whose step failed half-way is undone too.
        undo.push_async_callback(reverse)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return list(outcomes)


async def _failed(ops: Ops, record: ContainerRecord, failure: failures.Failure, closing: Any) -> None:
    current = ops.containers.find(record.id)
    if current is None:
        return
    status = Status.CREATED if not current.state.started_ns else Status.EXITED
    changed = current.with_state(status=status, pid=0, error=str(failure.error), exit_code=failure.code)
    await ops.containers.save(changed, also=[closing], vital=True)
    if record.auto_remove:
        ops.spawn(exited.remove_by_itself(ops, record.id), f"remove {record.id[:12]}")
