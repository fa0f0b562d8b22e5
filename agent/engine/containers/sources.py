"""Where a container's mount points lie for one run: its volumes and images are mounted, parts of them opened.

A part is named by a path inside, which whoever writes into the volume could swap for a link at any time. So it is
opened once, beneath the volume and through no magic link, and by that descriptor mounted where the runtime finds it.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.engine.containers import sharing
from agent.engine.containers.ops import Ops
from agent.engine.containers.options.mounts import FLAT
from agent.engine.errors import System
from agent.engine.kernel import mounts, syscalls
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
            found[point.destination] = await ops.snapshots.mount(
                image_key(record.id, number), volatile=True, mapped=sharing.remapped(ops, record.host_config)
            )


async def release(ops: Ops, record: ContainerRecord) -> None:
    """Let go of every volume and image of a container. Idempotent."""
    for name in dict.fromkeys(point.name for point in record.mounts if point.type == "volume"):
        await ops.volumes.release(name, record.id)
    for number, point in enumerate(record.mounts):
        if point.type == "image":
            await ops.snapshots.unmount(image_key(record.id, number))


def located(
    points: Sequence[MountPoint], found: dict[str, Path], folder: Path
) -> tuple[tuple[MountPoint, ...], contextlib.ExitStack]:
    """Mount points with their sources, and what must stay mounted until the runtime has done its part.

    Args:
        points: the container's.
        found: of ``acquire``.
        folder: where parts are mounted meanwhile.

    Raises:
        System: a part that is to be mounted is not there, or leads outside.
    """
    with contextlib.ExitStack() as held:
        placed = []
        for number, point in enumerate(points):
            source, target = found.get(point.destination), folder / str(number)
            if source is not None and point.subpath:
                path = _mounted(opened(source, point.subpath), target, held, recursive=True)
            elif source is not None:
                path = source
            elif FLAT in point.options and Path(point.source).exists():
                # crun 1.8 takes every bind for a recursive one: it is given what has nothing mounted below it.
                path = _mounted(os.open(point.source, os.O_PATH | os.O_CLOEXEC), target, held, recursive=False)
            else:
                placed.append(point)
                continue
            placed.append(msgspec.structs.replace(point, source=str(path)))
        return tuple(placed), held.pop_all()


def _mounted(descriptor: int, target: Path, held: contextlib.ExitStack, *, recursive: bool) -> Path:
    try:
        held.callback(_unmount_part, target)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            target.mkdir(mode=0o700, exist_ok=True)
        else:
            target.touch(mode=0o600)
        mounts.bind(f"/proc/self/fd/{descriptor}", target, recursive=recursive)
    finally:
        os.close(descriptor)
    return target


def _unmount_part(target: Path) -> None:
    mounts.unmount(target, lazy=True)
    with contextlib.suppress(OSError):
        (target.rmdir if target.is_dir() else target.unlink)()
    with contextlib.suppress(OSError):
        target.parent.rmdir()


def forget_parts(ops: Ops) -> None:
    """Take away what a start has left that a crash cut short."""
    for target in list(ops.paths.parts.glob("*/*")):
        _unmount_part(target)


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
