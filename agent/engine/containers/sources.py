"""Where a container's mount points lie for one run: its volumes and images are mounted, parts of them opened.

A part is named by a path inside, which whoever writes into the volume could swap for a link at any time. So it is
opened once, beneath the volume and through no magic link, and the runtime is given the descriptor.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.engine.containers.ops import Ops
from agent.engine.errors import System
from agent.engine.kernel import syscalls
from agent.engine.state.records import ContainerRecord, MountPoint

_BENEATH = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS


def image_key(container_id: str, number: int) -> str:
    """Of the snapshot by which a container sees an image: the container's id, and which of its mount points it is."""
    return f"{container_id}.{number}"


def owner(key: str) -> str:
    """The container that a snapshot belongs to."""
    return key.partition(".")[0]


async def prepare_images(ops: Ops, record: ContainerRecord, undo: contextlib.AsyncExitStack) -> None:
    """Make what shows an image to the container, and keeps its layers."""
    for number, point in enumerate(record.mounts):
        if point.type == "image":
            key = image_key(record.id, number)
            await ops.snapshots.prepare(key, ops.images.resolve(point.name).chain_id)
            undo.push_async_callback(ops.snapshots.remove, key)


async def acquire(ops: Ops, record: ContainerRecord, found: dict[str, Path]) -> None:
    """Mount volumes and images; ``found`` gets where each destination's data lies.

    Raises:
        NotFound, System, Unavailable: one cannot be mounted.
    """
    for number, point in enumerate(record.mounts):
        if point.type == "volume":
            found[point.destination] = await ops.volumes.acquire(
                point.name, record.id, destination=point.destination, rw=point.rw, propagation=point.propagation
            )
        elif point.type == "image":
            found[point.destination] = await ops.snapshots.mount(image_key(record.id, number), volatile=True)


async def release(ops: Ops, record: ContainerRecord) -> None:
    """Let go of every volume and image of a container. Idempotent."""
    for name in dict.fromkeys(point.name for point in record.mounts if point.type == "volume"):
        await ops.volumes.release(name, record.id)
    for number, point in enumerate(record.mounts):
        if point.type == "image":
            await ops.snapshots.unmount(image_key(record.id, number))


def located(
    points: Sequence[MountPoint], found: dict[str, Path]
) -> tuple[tuple[MountPoint, ...], contextlib.ExitStack]:
    """Mount points with their sources, and what must stay open until the runtime has mounted them.

    Raises:
        System: a part that is to be mounted is not there, or leads outside.
    """
    with contextlib.ExitStack() as held:
        placed = []
        for point in points:
            source = found.get(point.destination)
            if source is None:
                placed.append(point)
                continue
            path = str(source)
            if point.subpath:
                descriptor = opened(source, point.subpath)
                held.callback(os.close, descriptor)
                path = f"/proc/{os.getpid()}/fd/{descriptor}"
            placed.append(msgspec.structs.replace(point, source=path))
        return tuple(placed), held.pop_all()


def opened(root: Path, subpath: str) -> int:
    """A part of a volume or image, by descriptor.

    Raises:
        System: it is not there, or leads outside.
    """
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return syscalls.openat2(base, subpath, os.O_PATH | os.O_CLOEXEC, 0, _BENEATH)
    except OSError as error:
        if error.errno in {errno.EXDEV, errno.ELOOP}:
            raise System(f"cannot access path {root / subpath}: it leads out of its volume") from error
        raise System(f"cannot access path {root / subpath}: {os.strerror(error.errno or 0).lower()}") from error
    finally:
        os.close(base)
