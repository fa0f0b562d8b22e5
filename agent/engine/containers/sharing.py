"""Namespaces that a container shares with another one: ``--pid``, ``--ipc`` ``container:NAME``, and shareable memory.

The network's is ``networks/attach.py``'s. With user namespaces a container that shares anything shares that one too,
or the kernel would let it do nothing there.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from agent.engine.containers.ops import Ops
from agent.engine.containers.options import hostconfig, restarts
from agent.engine.errors import Invalid, NotFound, System
from agent.engine.kernel import mounts, syscalls
from agent.engine.kernel.idmaps import IdMap
from agent.engine.state.lookup import resolve
from agent.engine.state.records import ContainerRecord, Status

HOST_MEMORY = "/dev/shm"  # noqa: S108 (the host's, that --ipc host means)
PATIENCE, STEP = 10.0, 0.05
"""Seconds that a container waits for those that it needs; then its start says what is missing."""
_SAFE = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC


def find(ops: Ops, ref: str) -> ContainerRecord:
    """The container that a mode names.

    Raises:
        Invalid: there is none; to a 404 clients would answer by pulling the image.
    """
    containers = ops.containers
    try:
        return resolve(ref, containers.find, containers.names, (one.id for one in containers), "container")
    except NotFound as error:
        raise Invalid(str(error)) from error


def by_id(ops: Ops, host: dict[str, object]) -> None:
    """Write ids in place of names in a new container's modes: the other may be renamed.

    Raises:
        Invalid: no such container; of the network's mode the start says so.
    """
    for key in hostconfig.SHARED:
        mode = str(host[key])
        if mode.startswith(hostconfig.CONTAINER):
            try:
                host[key] = hostconfig.CONTAINER + find(ops, mode.removeprefix(hostconfig.CONTAINER)).id
            except Invalid:
                if key != "NetworkMode":
                    raise


def resolved(ops: Ops, host: Mapping[str, Any]) -> dict[str, Any]:
    """A ``HostConfig`` with the modes of those whose namespaces it joins: a container may stand before the host's.

    Those that do not exist are left; the start says so.
    """
    found = dict(host)
    for key in ("NetworkMode", "IpcMode"):
        seen = set[str]()
        while (mode := str(found.get(key) or "")).startswith(hostconfig.CONTAINER) and mode not in seen:
            seen.add(mode)
            try:
                found[key] = find(ops, mode.removeprefix(hostconfig.CONTAINER)).host_config.get(key)
            except Invalid:
                break
    return found


def other(ops: Ops, record: ContainerRecord, key: str) -> ContainerRecord | None:
    """The running container with which this one shares, by this mode.

    Raises:
        System: it does not run.
    """
    mode = record.host_config.get(key) or ""
    if not mode.startswith(hostconfig.CONTAINER):
        return None
    try:
        found = find(ops, mode.removeprefix(hostconfig.CONTAINER))
    except Invalid as error:
        raise System(str(error)) from error
    if not found.state.alive:
        raise System(f"container {found.id} is not running")
    return found


async def ready(ops: Ops, record: ContainerRecord) -> None:
    """Wait for those that a container is linked to, or shares with, while they too are about to be started again."""
    names = [str(record.host_config.get(key) or "") for key in hostconfig.SHARED]
    ids = {mode.removeprefix(hostconfig.CONTAINER) for mode in names if mode.startswith(hostconfig.CONTAINER)}
    ids |= {link.target for link in record.links}
    for _ in range(round(PATIENCE / STEP)):
        if not any(_coming(ops.containers.find(one)) for one in ids - {record.id}):
            return
        await asyncio.sleep(STEP)


def _coming(record: ContainerRecord | None) -> bool:
    if record is None or record.state.alive or not record.state.started_ns:
        return False
    policy = record.host_config["RestartPolicy"]
    return record.state.status is Status.RESTARTING or restarts.at_engine_start(
        policy, was_running=False, by_hand=record.stopped_by_hand
    )


def remapped(ops: Ops, host: Mapping[str, Any]) -> bool:
    """A container with this ``HostConfig`` gets a user namespace."""
    return ops.ids is not None and host.get("UsernsMode") != "host"


def users_of(ops: Ops, record: ContainerRecord) -> IdMap | None:
    """The ids of the container's user namespace; None: it has the host's."""
    return ops.ids if remapped(ops, record.host_config) else None


def shared_users(ops: Ops, record: ContainerRecord) -> str:
    """Path of the user namespace of the container with which this one shares anything but the network; or empty.

    Raises:
        System: it does not run.
    """
    owners = [owner for key in ("PidMode", "IpcMode") if (owner := other(ops, record, key)) is not None]
    return f"/proc/{owners[-1].state.pid}/ns/user" if owners else ""


def namespaces(ops: Ops, record: ContainerRecord, ids: IdMap | None) -> dict[str, str]:
    """Kind → path of the namespaces that the container joins.

    Raises:
        System: the other container does not run, or does not share.
    """
    joined = {"user": str(ops.paths.user_namespace(record.id))} if ids is not None else {}
    for key, kind in (("NetworkMode", ""), ("IpcMode", "ipc"), ("PidMode", "pid")):
        if (owner := _owner(ops, record, key)) is None:
            continue
        if kind:
            joined[kind] = f"/proc/{owner.state.pid}/ns/{kind}"
        if ids is not None:
            joined["user"] = f"/proc/{owner.state.pid}/ns/user"
    return joined


def _owner(ops: Ops, record: ContainerRecord, key: str) -> ContainerRecord | None:
    if key != "IpcMode":
        return other(ops, record, key)
    try:
        owner = other(ops, record, key)
    except System as error:
        raise System(f"can't join IPC of {record.host_config[key].replace(':', ' ')}: {error}") from None
    if owner is not None and not memory(ops, owner):
        raise System(
            f"can't join IPC of container {owner.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor"
            " container)"
        )
    return owner


def memory(ops: Ops, record: ContainerRecord) -> str:
    """The host's directory that is the container's ``/dev/shm``; empty where it has one of its own."""
    mode = record.host_config.get("IpcMode") or ""
    if mode == "host":
        return HOST_MEMORY
    if mode == "shareable":
        path = ops.paths.shared_memory(record.id)
        return str(path) if path.is_dir() else ""
    owner = other(ops, record, "IpcMode")
    return memory(ops, owner) if owner is not None else ""


def make_memory(ops: Ops, record: ContainerRecord) -> None:
    """Mount what others may share as their ``/dev/shm``. Idempotent; ``release_memory`` takes it away."""
    mine = any(point.destination == HOST_MEMORY for point in record.mounts)
    if record.host_config.get("IpcMode") != "shareable" or mine:
        return
    path = ops.paths.shared_memory(record.id)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not mounts.is_mounted(path):
        syscalls.mount("shm", path, "tmpfs", _SAFE, f"mode=1777,size={record.host_config['ShmSize']}")


def release_memory(ops: Ops, container_id: str) -> None:
    """Let go of it: whoever still shares it keeps it. Idempotent."""
    path = ops.paths.shared_memory(container_id)
    if path.is_dir():
        mounts.unmount(path, lazy=True)
        path.rmdir()
