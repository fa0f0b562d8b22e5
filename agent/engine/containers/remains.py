"""What a container leaves: after a run its mount, its cgroups and the runtime's state; after its removal nothing.

All of it is taken away after the answer, by a task of the container's own that the next start waits for.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from agent.engine.containers import sharing
from agent.engine.containers.ops import Ops
from agent.engine.containers.waits import Ended
from agent.engine.errors import Conflict, EngineError, System
from agent.engine.kernel import cgroups, files
from agent.engine.kernel.failpoints import failpoint
from agent.engine.state.journal import Intent
from agent.engine.state.records import ContainerRecord

GROUP = "cgroup"
"""File in the bundle with the container's group, where its parent is not the engine's."""

log = logging.getLogger(__name__)

AGAIN, LONGEST = 1.0, 60.0
"""Seconds until what could not be taken away is tried again, and the most that this grows to."""


def later(ops: Ops, work: Callable[[float], Coroutine[Any, Any, None]], name: str, wait: float) -> None:
    """Try again after a while: what was in the way, a full disk or a busy mount, may have gone.

    Args:
        work: called with the wait of the next attempt.
    """

    def begin() -> None:
        if not ops.closing:
            ops.spawn(work(min(wait * 2, LONGEST)), name)

    asyncio.get_running_loop().call_later(wait, begin)


def tidy(ops: Ops, container_id: str) -> None:
    """Take away, behind everybody's back, what a run has left."""
    ops.cleanups[container_id] = ops.spawn(tidied(ops, container_id), f"clean {container_id[:12]}")


async def tidied(ops: Ops, container_id: str, wait: float = AGAIN) -> None:
    """``clean``, and again after a while where that fails. Never raises: nobody can do more about it."""
    try:
        await clean(ops, container_id)
    except Exception as error:
        log.warning("remains of %s: %s", container_id[:12], error)
        later(ops, functools.partial(_tidied_again, ops, container_id), f"clean {container_id[:12]}", wait)


async def _tidied_again(ops: Ops, container_id: str, wait: float) -> None:
    async with ops.locks.hold(container_id):
        record = ops.containers.find(container_id)
        if (record is None or not record.state.alive) and container_id not in ops.cleanups:
            await tidied(ops, container_id, wait)


async def clean(ops: Ops, container_id: str) -> None:
    """Take away what the run leaves: the runtime's state, its cgroups, the mount."""
    try:
        with contextlib.suppress(EngineError):
            await ops.runtime.delete(container_id)
        failpoint("clean.runtime")
        await asyncio.to_thread(_remove_groups, ops, container_id)
        failpoint("clean.groups")
        for key in (container_id, *ops.snapshots.belonging(container_id)):
            await ops.snapshots.unmount(key)
        failpoint("clean.unmounted")
    finally:
        if ops.cleanups.get(container_id) is asyncio.current_task():
            del ops.cleanups[container_id]


def group_of(ops: Ops, container_id: str) -> str:
    """The group of a container that runs, or has left one."""
    own = ops.paths.bundle(container_id) / GROUP
    return own.read_text() if own.exists() else f"{ops.config.cgroup}/{container_id}"


def _remove_groups(ops: Ops, container_id: str) -> None:
    sharing.release_memory(ops, container_id)
    bundle = ops.paths.bundle(container_id)
    gone = cgroups.remove(ops.hierarchy, group_of(ops, container_id), patience=1.0)
    conmon_gone = cgroups.remove(ops.hierarchy, f"{ops.config.cgroup}/conmon/{container_id}", patience=1.0)
    if not gone or not conmon_gone:
        raise System(f"a process of container {container_id} does not end")
    files.remove_tree(bundle)


async def forget(ops: Ops, record: ContainerRecord, *, volumes: bool) -> None:
    """Take the record away and tell; the files follow. The caller holds the container's lock."""
    anonymous = [point.name for point in record.mounts if point.anonymous] if volumes else []
    intent = await ops.journal.begin(
        "remove", record.id, {"volumes": anonymous}, also=[ops.containers.dropping(record.id)], vital=True
    )
    ops.containers.forget(record.id)
    ops.delays.pop(record.id, None)
    ops.told.pop(record.id, None)
    ops.forgotten(record.id)
    ops.tell(record, "destroy")
    ops.waits.removed(record.id, Ended(record.state.exit_code))
    before = ops.cleanups.get(record.id)
    ops.cleanups[record.id] = ops.spawn(_take_away(ops, intent, before, AGAIN), f"remove {record.id[:12]}")
    failpoint("remove.begun")


async def _take_away(ops: Ops, intent: Intent, before: "asyncio.Task[None] | None", wait: float) -> None:
    try:
        if before is not None:
            await asyncio.wait([before])
        await clear(ops, intent.subject, intent.detail.get("volumes") or [])
        failpoint("remove.cleared")
        await ops.journal.done(intent)
    except Exception as error:
        log.warning("remains of %s, which is removed: %s", intent.subject[:12], error)
        later(ops, functools.partial(_take_away, ops, intent, None), f"remove {intent.subject[:12]}", wait)
    finally:
        ops.cleanups.pop(intent.subject, None)


async def clear(ops: Ops, container_id: str, volumes: list[str]) -> None:
    """Everything that a container without a record may have left. Idempotent: recovery calls it too."""
    await clean(ops, container_id)
    failpoint("remove.cleaned")
    for key in (container_id, *ops.snapshots.belonging(container_id)):
        await ops.snapshots.remove(key)
    failpoint("remove.thrown")
    await ops.forwarding.drained(container_id)
    await asyncio.to_thread(files.remove_tree, ops.paths.container(container_id))
    failpoint("remove.files")
    for name in volumes:
        with contextlib.suppress(Conflict):
            try:
                await ops.volumes.remove(name, force=True)
            except EngineError as error:
                log.warning("volume %s: %s", name, error)
