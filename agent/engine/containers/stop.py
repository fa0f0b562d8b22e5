"""End a run: politely, then by force; or with any signal.

Docker Engine API: ContainerStop, ContainerKill, ContainerRestart. Signals go to the container's first process by its
descriptor, so never to a stranger who has its pid by now.
"""

import asyncio
import contextlib
import os
import signal

import msgspec

from agent.engine.containers import exited
from agent.engine.containers.ops import Ops
from agent.engine.containers.options import signals
from agent.engine.containers.start import start
from agent.engine.errors import Conflict, NotModified, System
from agent.engine.kernel import pidfd
from agent.engine.kernel.failpoints import failpoint
from agent.engine.state.records import ContainerRecord, Status

KILL_PATIENCE = 10.0


def stop_signal(record: ContainerRecord, wanted: str = "") -> int:
    """The signal that asks this container to end.

    Raises:
        Invalid: ``wanted`` is no signal.
    """
    return signals.parse(wanted or record.config.get("StopSignal") or "SIGTERM")


def _send(ops: Ops, record: ContainerRecord, number: int) -> None:
    descriptor = pidfd.open_process(record.state.pid, record.state.pid_ticks)
    if descriptor is not None:
        try:
            pidfd.send(descriptor, number)
        finally:
            os.close(descriptor)
    ops.tell(record, "kill", signal=str(number))


async def _thaw(ops: Ops, record: ContainerRecord) -> ContainerRecord:
    """A frozen process takes no signal: let it go on."""
    if record.state.status is not Status.PAUSED:
        return record
    await ops.runtime.resume(record.id)
    return await ops.containers.save(record.with_state(status=Status.RUNNING), vital=True)


async def stop(ops: Ops, record: ContainerRecord, timeout: int | None, wanted: str) -> ContainerRecord:
    """Stop a container and wait for its end. The caller holds its lock.

    Args:
        ops: the engine's parts.
        record: the container.
        timeout: seconds between the signal and SIGKILL; None: its own, or the engine's; below 0: for ever.
        wanted: another signal than its own.

    Raises:
        NotModified: it does not run.
        System: it did not end.
    """
    number = stop_signal(record, wanted)
    if not record.state.running:
        raise NotModified(f"Container {record.id} is already stopped")
    if record.state.status is Status.RESTARTING:
        record = await _mark(ops, record)
        return await exited.cancel_restart(ops, record)
    stopped = await _end(ops, record, _seconds(ops, record, timeout), number, restart=True)
    ops.tell(stopped, "stop")
    return stopped


def _seconds(ops: Ops, record: ContainerRecord, timeout: int | None) -> float | None:
    if timeout is None:
        own = record.config.get("StopTimeout")
        timeout = ops.config.stop_timeout if own is None else own
    return None if timeout < 0 else float(timeout)


async def _mark(ops: Ops, record: ContainerRecord) -> ContainerRecord:
    if record.stopped_by_hand:
        return record
    return await ops.containers.save(msgspec.structs.replace(record, stopped_by_hand=True), vital=True)


async def _end(
    ops: Ops, record: ContainerRecord, seconds: float | None, number: int, *, restart: bool
) -> ContainerRecord:
    record = await _mark(ops, record)
    _send(ops, record, number)
    failpoint("stop.signalled")
    record = await _thaw(ops, record)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await _gone(ops, record, restart=restart)
    return await kill_and_wait(ops, record, auto_remove=restart)


async def _gone(ops: Ops, record: ContainerRecord, *, restart: bool) -> ContainerRecord:
    """Wait for the end and record it."""
    end = await ops.exits.wait(record.id)
    current = ops.containers.find(record.id) or record
    if end is None:
        # It ended before we began to wait, and whoever saw that waits for our lock.
        end = exited.end_of(ops, current)
    return await exited.finish(ops, current, end, restart=restart)


async def kill_and_wait(ops: Ops, record: ContainerRecord, *, auto_remove: bool) -> ContainerRecord:
    """SIGKILL, and wait for the end. The caller holds the container's lock.

    Args:
        ops: the engine's parts.
        record: the container.
        auto_remove: a container made to be removed at its end is removed.

    Raises:
        System: it survives, stuck in the kernel.
    """
    if record.state.status is Status.RESTARTING:
        return await exited.cancel_restart(ops, await _mark(ops, record))
    if not record.state.alive:
        return record
    record = await _mark(ops, record)
    _send(ops, record, signal.SIGKILL)
    failpoint("kill.signalled")
    record = await _thaw(ops, record)
    try:
        async with asyncio.timeout(KILL_PATIENCE):
            return await _gone(ops, record, restart=auto_remove)
    except TimeoutError:
        raise System(f"container {record.id} did not end after SIGKILL: a process is stuck in the kernel") from None


def signal_only(ops: Ops, record: ContainerRecord) -> None:
    """SIGKILL without waiting: whoever holds the container's lock sees the end."""
    if record.state.alive:
        _send(ops, record, signal.SIGKILL)


async def kill(ops: Ops, record: ContainerRecord, wanted: str) -> None:
    """Send a signal; SIGKILL is waited for. Takes the container's lock itself, where it needs it.

    A signal does not wait for a stop that holds the lock: the container may need just that signal to end.

    Raises:
        Invalid: no such signal.
        Conflict: it does not run.
    """
    number = signals.parse(wanted or "SIGKILL")
    if not record.state.running:
        raise Conflict(f"Container {record.id} is not running")
    if number == signal.SIGKILL or record.state.status is Status.RESTARTING:
        if ops.locks.held(record.id):
            signal_only(ops, record)
        async with ops.locks.hold(record.id):
            if (current := ops.containers.find(record.id)) is not None:
                await kill_and_wait(ops, current, auto_remove=True)
        return
    if not record.config.get("StopSignal") or number == stop_signal(record):
        record = await _mark(ops, record)
    _send(ops, record, number)
    await _thaw(ops, record)


async def restart(ops: Ops, record: ContainerRecord, timeout: int | None, wanted: str) -> ContainerRecord:
    """Stop, if it runs, and start. The caller holds the container's lock.

    Raises:
        EngineError: as for stop and start.
    """
    number = stop_signal(record, wanted)
    if record.state.status is Status.RESTARTING:
        record = await exited.cancel_restart(ops, record)
    elif record.state.alive:
        record = await _end(ops, record, _seconds(ops, record, timeout), number, restart=False)
        ops.tell(record, "stop")
    started = await start(ops, record)
    ops.tell(started, "restart")
    return started
