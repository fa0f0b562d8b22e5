"""After a crash or an upgrade: find what is true, make the records say so, finish what was begun.

A container that runs is adopted by pid and start time and not touched. One that ended meanwhile has left its code in
conmon's exit file; without that it is 255. What has no record, or no process, is taken away. Only then does the engine
serve.
"""

import asyncio
import json
import logging
import signal
from collections.abc import Sequence
from pathlib import Path

from agent.engine.containers import create, exited, pause, remains, remove, sharing, sources
from agent.engine.containers.ops import Ops
from agent.engine.containers.options import restarts
from agent.engine.containers.start import PROCESSES, start
from agent.engine.errors import EngineError
from agent.engine.kernel import cgroups, files, pidfd
from agent.engine.runtime.base import Processes
from agent.engine.runtime.exits import Exit
from agent.engine.state.journal import Intent
from agent.engine.state.records import ContainerRecord, Status

log = logging.getLogger(__name__)

KILL_PATIENCE = 5.0


def _left_by(bundle: Path) -> Processes | None:
    try:
        return Processes(*json.loads((bundle / PROCESSES).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def survivors(ops: Ops) -> list[ContainerRecord]:
    """Containers whose process is the one that the record knows."""
    return [
        record
        for record in ops.containers
        if record.state.alive and not record.managed and pidfd.is_alive(record.state.pid, record.state.pid_ticks)
    ]


async def undo_strangers(ops: Ops, running: Sequence[ContainerRecord]) -> None:
    """Kill processes of starts that nobody was told of, and take away what no running container needs."""
    known = {record.id for record in running}
    for bundle in await asyncio.to_thread(lambda: list(ops.paths.bundles.iterdir())):
        processes = _left_by(bundle)
        if bundle.name not in known and processes is not None:
            await _kill(processes)
    folders = (ops.paths.bundles, ops.paths.runtime, ops.paths.memories)
    names = {entry.name for folder in folders for entry in folder.iterdir()}
    names |= cgroups.children(ops.hierarchy, ops.config.cgroup) - {"conmon"}
    # What ended meanwhile is taken away once that is told, behind everybody's back: there may be hundreds.
    spared = known | {record.id for record in ops.containers if record.state.alive and not record.managed}
    for name in names - spared:
        await remains.tidied(ops, name)
    await asyncio.to_thread(sources.forget_parts, ops)
    for entry in list(ops.paths.snapshots.iterdir()):
        try:
            if sources.owner(entry.name) not in ops.containers:
                await ops.snapshots.remove(entry.name)
            elif sources.owner(entry.name) not in spared:
                await ops.snapshots.unmount(entry.name)
        except EngineError as error:
            log.warning("the layer of %s: %s", entry.name, error)
    for entry in list(ops.paths.containers.iterdir()):
        if entry.name not in ops.containers:
            await asyncio.to_thread(files.remove_tree, entry)


async def remake_lost(ops: Ops) -> None:
    """Give every container the folders that its record says it has."""
    for record in ops.containers.all():
        try:
            await create.remake(ops, record)
        except EngineError as error:
            log.error("container %s cannot be started any more: %s", record.name, error)


async def _kill(processes: Processes) -> None:
    for pid, ticks in ((processes.pid, processes.ticks), (processes.conmon_pid, processes.conmon_ticks)):
        descriptor = pidfd.open_process(pid, ticks) if pid > 0 else None
        if descriptor is None:
            continue
        try:
            pidfd.send(descriptor, signal.SIGKILL)
            async with asyncio.timeout(KILL_PATIENCE):
                await pidfd.ended(descriptor)
        except TimeoutError:
            log.error("process %d does not end", pid)
        finally:
            pidfd.close(descriptor)


async def finish_intents(ops: Ops, intents: Sequence[Intent]) -> None:
    """Roll removals forward and undo creates; a start's remains are strangers, dealt with already."""
    for intent in intents:
        log.info("finishing %s of %s", intent.operation, intent.subject[:12])
        if intent.operation == "remove" or (intent.operation == "create" and intent.subject not in ops.containers):
            await remains.clear(ops, intent.subject, intent.detail.get("volumes") or [])
        elif intent.operation == pause.FREEZE:
            await pause.thaw(ops, intent.subject)
        await ops.journal.done(intent)


async def settle(ops: Ops, ends: dict[str, Exit]) -> None:
    """Watch who runs; tell who has ended, with the true time; start who is to run."""
    for record in ops.containers.all():
        async with ops.locks.hold(record.id):
            try:
                await _settle(ops, record, ends.get(record.id))
            except EngineError as error:
                log.warning("%s: %s", record.name, error)


async def _settle(ops: Ops, record: ContainerRecord, end: Exit | None) -> None:
    if record.managed:
        await remove.remove(ops, record, force=True, volumes=True)
    elif end is not None:
        if _told(ops, record):
            ops.told[record.id] = record.state.pid_ticks
        await exited.finish(ops, record, end, time_ns=end.finished_ns)
    elif record.state.alive:
        exited.watch(ops, record.id, exited.processes_of(record))
    elif record.state.status is Status.RESTARTING:
        exited.schedule(ops, record.id, restarts.FIRST)
    elif record.state.status in {Status.REMOVING, Status.DEAD}:
        await remains.forget(ops, record, volumes=False)
    elif record.auto_remove and record.state.started_ns:
        await remains.forget(ops, record, volumes=True)
    elif record.state.started_ns and restarts.at_engine_start(
        record.host_config["RestartPolicy"], was_running=False, by_hand=record.stopped_by_hand
    ):
        ops.spawn(_start_again(ops, record.id), f"start {record.id[:12]}")


def _told(ops: Ops, record: ContainerRecord) -> bool:
    """The engine that is gone has told the end of this run, and did not come to record it."""
    return any(
        event["Action"] == "die" and event["Actor"]["ID"] == record.id
        for event in ops.events.history(record.state.started_ns)
    )


async def _start_again(ops: Ops, container_id: str) -> None:
    if (record := ops.containers.find(container_id)) is not None:
        await sharing.ready(ops, record)
    async with ops.locks.hold(container_id):
        record = ops.containers.find(container_id)
        if record is not None and not record.state.running:
            try:
                await start(ops, record)
            except EngineError as error:
                log.warning("%s does not start: %s", record.name, error)


def ended_meanwhile(ops: Ops) -> dict[str, Exit]:
    """Ends of containers that the records call alive; read before anything is taken away."""
    alive = {record.id for record in survivors(ops)}
    return {
        record.id: exited.end_of(ops, record)
        for record in ops.containers
        if record.state.alive and not record.managed and record.id not in alive
    }
