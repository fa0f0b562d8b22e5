"""The end of a run: told once, with its code; then restarted, kept, or removed.

The watcher's task, a stop that waits and recovery may all find the same end: ``finish`` acts on the first and
ignores the rest. The runtime's remains and the mount are taken away after everybody has been told.
"""

import asyncio
import functools
import logging
import time
from typing import Any

import msgspec

from agent.engine.containers import remains, sharing
from agent.engine.containers.health import UNHEALTHY
from agent.engine.containers.ops import Ops
from agent.engine.containers.options import restarts
from agent.engine.containers.waits import Ended
from agent.engine.errors import EngineError
from agent.engine.kernel.failpoints import failpoint
from agent.engine.runtime.base import Processes
from agent.engine.runtime.exits import UNKNOWN, Exit, read_exit_file
from agent.engine.state.records import ContainerRecord, Health, Status

log = logging.getLogger(__name__)


def watch(ops: Ops, container_id: str, processes: Processes) -> None:
    """Act on the end of this run when it comes, and on processes that the kernel kills for want of memory."""
    exit_file = ops.paths.exits(container_id) / container_id
    task = ops.exits.watch(container_id, processes, exit_file, ops.paths.bundle(container_id))

    def ended(done: "asyncio.Task[Exit]") -> None:
        if not done.cancelled() and not ops.closing:
            ops.spawn(_act(ops, container_id, processes, done.result(), remains.AGAIN), f"end of {container_id[:12]}")

    task.add_done_callback(ended)
    record = ops.containers.find(container_id)

    def killed() -> None:
        if not ops.closing:
            ops.spawn(_killed(ops, container_id), f"oom of {container_id[:12]}")

    ops.ooms.watch(container_id, remains.group_of(ops, container_id), killed)
    # The record of a run that begins is still the last one's.
    if record is not None and record.state.alive:
        ops.ooms.adopt(container_id, told=record.state.oom_killed)


async def _killed(ops: Ops, container_id: str) -> None:
    """The container may run on."""
    async with ops.locks.hold(container_id):
        record = ops.containers.find(container_id)
        if record is not None and record.state.alive and ops.ooms.take(container_id):
            ops.tell(record, "oom")
            await ops.containers.save(record.with_state(oom_killed=True), vital=True)


async def _act(ops: Ops, container_id: str, processes: Processes, end: Exit, wait: float) -> None:
    async with ops.locks.hold(container_id):
        record = ops.containers.find(container_id)
        if record is None or not record.state.alive or record.state.pid_ticks != processes.ticks:
            return
        try:
            await finish(ops, record, end)
        except Exception as error:
            # It must not be called running for ever because the disk was full when it ended.
            log.warning("the end of %s could not be recorded: %s", record.name, error)
            again = functools.partial(_act, ops, container_id, processes, end)
            remains.later(ops, again, f"end of {container_id[:12]}", wait)


def end_of(ops: Ops, record: ContainerRecord) -> Exit:
    """How a run ended that nobody watches any more, or ever did."""
    found = read_exit_file(ops.paths.exits(record.id) / record.id)
    oom = (ops.paths.bundle(record.id) / "oom").exists()
    return Exit(found[0], oom, found[1]) if found else Exit(UNKNOWN, oom, time.time_ns())


async def finish(
    ops: Ops, record: ContainerRecord, end: Exit, *, restart: bool = True, time_ns: int | None = None
) -> ContainerRecord:
    """Record the end of the current run. The caller holds the container's lock.

    Args:
        ops: the engine's parts.
        record: as it is, running or paused.
        end: what the watcher found.
        restart: the restart policy and AutoRemove have a say; not when a restart by hand goes on.
        time_ns: when it happened, if not now.
    """
    if not record.state.alive:
        return record
    killed = ops.ooms.take(record.id) or (end.oom_killed and not record.state.oom_killed)
    ops.ooms.forget(record.id)
    lasted = max(0.0, (end.finished_ns - record.state.started_ns) / 1e9)
    again = restart and restarts.wanted(
        record.host_config["RestartPolicy"], code=end.code, count=record.restart_count, by_hand=record.stopped_by_hand
    )
    ended = record.with_state(
        status=Status.RESTARTING if again else Status.EXITED,
        pid=0,
        pid_ticks=0,
        conmon_pid=0,
        conmon_ticks=0,
        exit_code=end.code,
        oom_killed=end.oom_killed or killed or record.state.oom_killed,
        finished_ns=end.finished_ns,
        error="",
        health=_unwatched(record.state.health),
    )
    if again:
        ended = msgspec.structs.replace(ended, restart_count=record.restart_count + 1)
    if ops.told.get(record.id) != record.state.pid_ticks:
        ops.told[record.id] = record.state.pid_ticks
        if killed:
            ops.tell(record, "oom", time_ns)
        ops.tell(record, "die", time_ns, exitCode=str(end.code))
    failpoint("exit.told")
    await _let_go(ops, record)
    failpoint("exit.released")
    if record.auto_remove and restart and not again:
        # The layer and the rest go after the answer; the record and the name at once.
        await remains.forget(ops, ended, volumes=True)
        return ended
    remains.tidy(ops, record.id)
    saved = await ops.containers.save(ended, vital=True)
    ops.told.pop(record.id, None)
    failpoint("exit.saved")
    ops.waits.exited(record.id, Ended(end.code))
    if again:
        wait = ops.delays[record.id] = restarts.delay(ops.delays.get(record.id), lasted)
        schedule(ops, record.id, wait)
    return saved


def _unwatched(health: Health | None) -> Health | None:
    """As dockerd tells the health of what is no longer checked; no event says so."""
    return None if health is None else msgspec.structs.replace(health, status=UNHEALTHY)


async def _let_go(ops: Ops, record: ContainerRecord) -> None:
    """Give back ports, addresses and volumes: the next container may want them at once."""
    try:
        await ops.networks.release(record.id)
        for name in dict.fromkeys(point.name for point in record.mounts if point.type == "volume"):
            await ops.volumes.release(name, record.id)
    except (EngineError, OSError) as error:
        log.warning("remains of %s: %s", record.name, error)


def schedule(ops: Ops, container_id: str, wait: float) -> None:
    """Start the container again after a while, unless somebody stops it first."""

    async def later() -> None:
        await asyncio.sleep(wait)
        if (record := ops.containers.find(container_id)) is not None:
            await sharing.ready(ops, record)
        async with ops.locks.hold(container_id):
            record = ops.containers.find(container_id)
            if record is None or record.state.status is not Status.RESTARTING:
                return
            ops.restarts.pop(container_id, None)
            try:
                await ops.start_again(ops, record)
            except EngineError as error:
                log.warning("%s could not be restarted: %s", record.name, error)

    ops.restarts[container_id] = ops.spawn(later(), f"restart {container_id[:12]}")


async def cancel_restart(ops: Ops, record: ContainerRecord) -> ContainerRecord:
    """Give up a restart that waits. The caller holds the container's lock."""
    task = ops.restarts.pop(record.id, None)
    if task is not None:
        task.cancel()
    if record.state.status is Status.RESTARTING:
        return await ops.containers.save(record.with_state(status=Status.EXITED), vital=True)
    return record


async def remove_by_itself(ops: Ops, container_id: str) -> None:
    """Remove a container that never ran, because its options say so."""
    async with ops.locks.hold(container_id):
        record = ops.containers.find(container_id)
        if record is not None and not record.state.running:
            await remains.forget(ops, record, volumes=True)


def processes_of(record: ContainerRecord) -> Processes:
    """The processes that the record knows."""
    state: Any = record.state
    return Processes(state.pid, state.pid_ticks, state.conmon_pid, state.conmon_ticks)
