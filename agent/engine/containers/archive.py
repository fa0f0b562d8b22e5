"""Files in and out of a container, running or not. Docker Engine API: ContainerArchive, PutContainerArchive,
ContainerArchiveInfo, ContainerExport.

Reading is done by ``taking``, writing by the unpacker of images, both children that have the container's root for their
own. A running container is entered as it is, volumes and all; of a stopped one a view with its volumes is made first.
"""

import asyncio
import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import agent
from agent.engine.errors import Denied, EngineError, Invalid, NotFound, System
from agent.engine.events import EventBus
from agent.engine.images.unpack import unpack
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.files import make_beneath, open_beneath
from agent.engine.state.records import ContainerRecord

_PROJECT = str(Path(agent.__file__).parent.parent)
_BLOCK = 1 << 18
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV}
_LINK = 1 << 27

Mounted = Callable[[ContainerRecord], contextlib.AbstractAsyncContextManager[Path]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a child finds the container's files: a process to enter, or a folder."""

    pid: int = 0
    root: str = "/"


def clean(path: str) -> str:
    """A client's path as an absolute one; a closing ``/`` or ``/.`` keeps its meaning.

    Raises:
        Invalid: it is empty.
    """
    if not path:
        raise Invalid("bad parameter: pathcannot be empty")
    end = "/." if path.endswith("/.") or path == "." else "/" if path.endswith("/") else ""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts) + (end if parts else "")


class Archive:
    """Files of all containers.

    Args:
        mounted: the block in which a container's file system is mounted, and where.
        events: where ``archive-path``, ``extract-to-dir`` and ``export`` are told.
    """

    def __init__(self, mounted: Mounted, events: EventBus) -> None:
        self._mounted, self._events = mounted, events

    @contextlib.asynccontextmanager
    async def _view(self, record: ContainerRecord) -> AsyncGenerator[Place, None]:
        if record.state.alive and record.state.pid:
            yield Place(pid=record.state.pid)
            return
        binds = [
            {"source": mount.source, "destination": mount.destination}
            for mount in sorted(record.mounts, key=lambda mount: mount.destination)
            if mount.type in {"bind", "volume"} and mount.source and Path(mount.source).exists()
        ]
        async with self._mounted(record) as root:
            if not binds:
                yield Place(root=str(root))
                return
            await asyncio.to_thread(_make_places, root, binds)
            child = await _child(Place(root=str(root)), mode="view", binds=binds)
            try:
                assert child.stdout is not None
                _check(await child.stdout.readline(), record, "/")
                yield Place(pid=child.pid)
            finally:
                await _end(child)

    async def stat(self, record: ContainerRecord, path: str) -> dict[str, Any]:
        """Docker's ContainerPathStat of a path.

        Raises:
            NotFound: there is no such file.
        """
        async with self._view(record) as place:
            child = await _child(place, mode="stat", path=clean(path))
            try:
                assert child.stdout is not None
                return _check(await child.stdout.readline(), record, path)
            finally:
                await _end(child)

    async def read(self, record: ContainerRecord, path: str) -> AsyncGenerator[dict[str, Any] | bytes, None]:
        """A path as a tar: first its stat, then the bytes.

        Raises:
            NotFound: there is no such file.
        """
        wanted = clean(path)
        name = "." if wanted.endswith("/.") else wanted.rstrip("/").rpartition("/")[2] or "/"
        async with self._view(record) as place:
            child = await _child(place, mode="tar", path=wanted, name=name)
            try:
                assert child.stdout is not None
                yield _check(await child.stdout.readline(), record, path)
                self._events.publish("container", "archive-path", record.id, record.event_attributes())
                while data := await child.stdout.read(_BLOCK):
                    yield data
                if await child.wait():
                    raise System(f"reading {path} in container {record.name} failed")
            finally:
                await _end(child)

    async def export(self, record: ContainerRecord) -> AsyncGenerator[bytes, None]:
        """The whole file system as a tar, without what is mounted in it."""
        async with self._mounted(record) as root:
            child = await _child(Place(root=str(root)), mode="tar", path="/", name="")
            try:
                assert child.stdout is not None
                _check(await child.stdout.readline(), record, "/")
                self._events.publish("container", "export", record.id, record.event_attributes())
                while data := await child.stdout.read(_BLOCK):
                    yield data
            finally:
                await _end(child)

    async def write(
        self,
        record: ContainerRecord,
        path: str,
        body: AsyncIterable[bytes],
        *,
        keep_folders: bool = False,
        owner: tuple[int, int] | None = None,
    ) -> None:
        """Unpack a tar into a directory.

        Raises:
            NotFound: there is no such directory.
            Denied: it lies on a read-only file system.
            System: the archive could not be unpacked, or the path is no directory.
        """
        wanted = clean(path)
        try:
            await self.stat(record, wanted.removesuffix("/.").rstrip("/") + "/.")
        except NotFound as error:
            found = await self.stat(record, wanted)
            if found["mode"] & _LINK:
                raise error
            raise System("extraction point is not a directory") from error
        if record.host_config.get("ReadonlyRootfs") and not _on_mount(record, wanted):
            raise Denied("container rootfs is marked read-only")
        async with self._view(record) as place:
            failpoint("copy.mounted")
            try:
                await unpack(
                    body,
                    place.root,
                    folder=wanted,
                    whiteouts=False,
                    keep_folders=keep_folders,
                    owner=owner,
                    pid=place.pid,
                )
            except Invalid as error:
                words = str(error).removeprefix("invalid name in archive: ")
                raise System(f"Error processing tar file(exit status 1): {words}") from error
            failpoint("copy.unpacked")
        self._events.publish("container", "extract-to-dir", record.id, record.event_attributes())


def _make_places(root: Path, binds: Sequence[Mapping[str, str]]) -> None:
    """What is mounted has a place, also before the first start."""
    for bind in binds:
        place = bind["destination"]
        try:
            os.close(open_beneath(root, place, os.O_PATH))
        except FileNotFoundError:
            # A link that leads nowhere is in the way: the mount says so.
            with contextlib.suppress(FileExistsError):
                if Path(bind["source"]).is_dir():
                    make_beneath(root, place)
                else:
                    make_beneath(root, place.rpartition("/")[0])
                    os.close(open_beneath(root, place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def _on_mount(record: ContainerRecord, path: str) -> bool:
    return any(
        mount.rw and (path == mount.destination or path.startswith(mount.destination.rstrip("/") + "/"))
        for mount in record.mounts
    )


async def _child(place: Place, **options: Any) -> asyncio.subprocess.Process:
    given = {"root": place.root, "pid": place.pid, "binds": [], "path": "/", "name": "", **options}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-s", "-B", "-m", "agent.engine.containers.taking", json.dumps(given)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        limit=_BLOCK,
        env={"PYTHONPATH": _PROJECT, "LC_ALL": "C.UTF-8", "PATH": os.defpath},
    )


async def _end(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    await child.wait()


def _check(line: bytes, record: ContainerRecord, path: str) -> dict[str, Any]:
    if not line:
        raise System(f"looking into container {record.name} failed")
    answer: dict[str, Any] = json.loads(line)
    if "error" not in answer:
        return answer
    if answer["error"] in _NOT_THERE:
        raise NotFound(f"Could not find the file {path} in container {record.name}")
    error: EngineError = System(f"{path} in container {record.name}: {answer['message']}")
    raise error
