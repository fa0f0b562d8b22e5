"""Files in and out of a container, running or not. Docker Engine API: ContainerArchive, PutContainerArchive,
ContainerArchiveInfo, ContainerExport.

The work is done by ``taking``, in children that have the container's root for their own. A running container is
entered as it is, volumes and all; into a stopped one the child mounts its volumes first.
"""

import asyncio
import base64
import contextlib
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from agent.engine.containers.files.takers import Job, Takers, pipe, pump
from agent.engine.errors import Denied, EngineError, Invalid, NotFound, System
from agent.engine.events import EventBus
from agent.engine.images.unpack import Limits, refusal
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.files import make_place
from agent.engine.state.records import ContainerRecord

_BLOCK = 1 << 18
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV}

Mounted = Callable[[ContainerRecord], contextlib.AbstractAsyncContextManager[Path]]


Placed = Callable[[ContainerRecord], contextlib.AbstractAsyncContextManager[Mapping[str, Path]]]
Json = dict[str, Any]


@contextlib.asynccontextmanager
async def _nothing(_: ContainerRecord) -> AsyncGenerator[Mapping[str, Path], None]:
    yield {}


class Receiver(Protocol):
    """Who gets an archive."""

    @property
    def socket(self) -> int | None:
        """Takes the archive in HTTP's chunks, once ``begin`` is through; None: it has to come by ``write``."""

    async def whole(self, stat: Json, data: bytes) -> None:
        """All of it, since it is small."""

    async def begin(self, stat: Json) -> None:
        """It begins."""

    async def write(self, data: bytes) -> None:
        """The next piece."""


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
    return "/" + "/".join(parts) + (end if parts else end.lstrip("/"))


class Archive:
    """Files of all containers.

    Args:
        mounted: the block in which a container's file system is mounted, and where.
        events: where ``archive-path``, ``extract-to-dir`` and ``export`` are told.
        placed: the block in which a container's volumes and images are mounted, and where they lie, by destination.
        limits: of what is put in.
    """

    def __init__(
        self, mounted: Mounted, events: EventBus, placed: Placed | None = None, limits: Limits | None = None
    ) -> None:
        self._mounted, self._events, self._limits = mounted, events, limits or Limits()
        self._placed = placed or _nothing
        self._takers = Takers()

    def close(self) -> None:
        """End what is under way."""
        self._takers.close()

    @contextlib.asynccontextmanager
    async def _view(self, record: ContainerRecord) -> AsyncGenerator[Json, None]:
        """How a child gets at the files: by a process to enter, or a folder and what is mounted in it."""
        if record.state.alive and record.state.pid:
            devices = all(mount.destination != "/dev" for mount in record.mounts)
            yield {"pid": record.state.pid, "root": "/", "binds": [], "devices": devices}
            return
        async with self._mounted(record) as root, self._placed(record) as places:
            binds = [
                {
                    "source": str(places.get(mount.destination, mount.source)),
                    "subpath": mount.subpath,
                    "destination": mount.destination,
                }
                for mount in sorted(record.mounts, key=lambda mount: mount.destination)
                if mount.destination in places or (mount.type in {"bind", "volume"} and mount.source)
            ]
            binds = [bind for bind in binds if Path(bind["source"]).exists()]
            if binds:
                await asyncio.to_thread(_make_places, root, binds)
            yield {"pid": 0, "root": str(root), "binds": binds}

    async def stat(self, record: ContainerRecord, path: str) -> Json:
        """Docker's ContainerPathStat of a path.

        Raises:
            NotFound: there is no such file.
        """
        async with self._view(record) as view, self._takers.job({**view, "mode": "stat", "path": clean(path)}) as job:
            return _checked(await job.said(), record, path)

    async def send(self, record: ContainerRecord, path: str, receiver: Receiver) -> None:
        """A path as a tar.

        Raises:
            NotFound: there is no such file.
        """
        wanted = clean(path)
        name = "." if wanted.endswith("/.") else wanted.rstrip("/").rpartition("/")[2] or "/"
        async with self._view(record) as view:
            await self._send({**view, "path": wanted, "name": name}, record, path, "archive-path", receiver)

    async def export(self, record: ContainerRecord, receiver: Receiver) -> None:
        """The whole file system as a tar, without what is mounted in it."""
        async with self._mounted(record) as root:
            # Of one that runs, the ids are those of its own users.
            of = record.state.pid if record.state.alive else 0
            view = {"pid": 0, "root": str(root), "binds": [], "users": of, "path": "/", "name": ""}
            await self._send(view, record, "/", "export", receiver)

    async def _send(self, options: Json, record: ContainerRecord, path: str, action: str, receiver: Receiver) -> None:
        # Where the bytes go is known when the first of them is there: into a pipe, or past us into the client's socket.
        reading, writing = pipe()
        try:
            socket = receiver.socket
            target = writing if socket is None else socket
            async with self._takers.job({**options, "mode": "tar", "chunked": socket is not None}, target) as job:
                os.close(writing)
                writing = -1
                described = _checked(await job.said(), record, path)
                self._events.publish("container", action, record.id, record.event_attributes())
                if (whole := described.pop("whole", None)) is not None:
                    await receiver.whole(described, base64.b64decode(whole))
                    return
                await receiver.begin(described)
                job.go()
                if socket is None:
                    await _forward(reading, receiver)
                try:
                    _checked(await job.said(), record, path)
                except System as error:
                    raise System(f"reading {path} in container {record.name} failed") from error
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)

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
            NoSpace: the disk is full.
            System: the archive could not be unpacked, or the path is no directory.
        """
        wanted = clean(path)
        options = {
            "mode": "put",
            "path": wanted,
            "folder": wanted,
            "whiteouts": False,
            "keep_folders": keep_folders,
            "owner": owner,
            "readonly": _readonly(record, wanted),
            **asdict(self._limits),
        }
        async with self._view(record) as view:
            failpoint("copy.mounted")
            reading, writing = pipe()
            pumping: asyncio.Task[None] | None = None
            try:
                async with self._takers.job({**options, **view}, reading) as job:
                    os.close(reading)
                    reading = -1
                    pumping = asyncio.create_task(pump(body, writing))
                    answer = await self._outcome(job, pumping)
            finally:
                if reading >= 0:
                    os.close(reading)
                if pumping is None:
                    os.close(writing)
                else:
                    pumping.cancel()
                    await asyncio.wait([pumping])
            _check_put(answer, options["readonly"], record, path)
            failpoint("copy.unpacked")
        self._events.publish("container", "extract-to-dir", record.id, record.event_attributes())

    @staticmethod
    async def _outcome(job: Job, pumping: "asyncio.Task[None]") -> Json:
        """What the child says; a body that breaks off is an error of its own."""
        saying = asyncio.create_task(job.said())
        try:
            await asyncio.wait([saying, pumping], return_when=asyncio.FIRST_COMPLETED)
            if not saying.done() and pumping.done():
                pumping.result()
            return await saying
        finally:
            saying.cancel()


async def _forward(reading: int, receiver: Receiver) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_BLOCK)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(reading), "rb", buffering=0)
    )
    try:
        while data := await reader.read(_BLOCK):
            await receiver.write(data)
    finally:
        transport.close()


def _make_places(root: Path, binds: Sequence[Mapping[str, str]]) -> None:
    """What is mounted has a place, also before the first start; where it can have none the mount says why."""
    for bind in binds:
        with contextlib.suppress(OSError):
            make_place(root, bind["destination"], directory=Path(bind["source"]).is_dir())


def _readonly(record: ContainerRecord, path: str) -> str:
    """Why nothing may be put there, in dockerd's words; empty where something may."""
    within = [
        mount
        for mount in record.mounts
        if path == mount.destination or path.startswith(mount.destination.rstrip("/") + "/")
    ]
    if within:
        innermost = max(within, key=lambda mount: len(mount.destination))
        return "" if innermost.rw else "mounted volume is marked read-only"
    return "container rootfs is marked read-only" if record.host_config.get("ReadonlyRootfs") else ""


def _check_put(answer: Json, readonly: str, record: ContainerRecord, path: str) -> None:
    match answer.get("refused"):
        case "no folder":
            raise System("extraction point is not a directory")
        case "read-only":
            raise Denied(readonly)
    if isinstance(answer.get("error"), str):
        refused = refusal(answer["error"], answer["message"])
        if isinstance(refused, Invalid):
            words = str(refused).removeprefix("invalid name in archive: ")
            raise System(f"Error processing tar file(exit status 1): {words}")
        raise refused
    _checked(answer, record, path)


def _checked(answer: Json, record: ContainerRecord, path: str) -> Json:
    if "error" not in answer:
        return answer
    if answer["error"] in _NOT_THERE:
        raise NotFound(f"Could not find the file {path} in container {record.name}")
    error: EngineError = System(f"{path} in container {record.name}: {answer['message']}")
    raise error
