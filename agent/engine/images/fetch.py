"""Bring one blob into the content store, over a connection that may break."""

import asyncio
import re
from collections.abc import Callable

import aiohttp

from agent.engine.errors import Invalid, Unavailable
from agent.engine.images.early import Early
from agent.engine.images.progress import Meter, Progress, short, step
from agent.engine.kernel.failpoints import failpoint
from agent.engine.registry.client import Busy, Repository
from agent.engine.storage.content import ContentStore, Ingest
from agent.engine.storage.layers import BlobRef

ATTEMPTS = 5
_FIRST_PAUSE = 0.5
# A registry that wants to be left alone for longer is one that refuses.
_LONGEST_PAUSE = 60.0
_PIECE = 1 << 20
_HELD = 4 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


async def fetch(
    repository: Repository, ref: BlobRef, content: ContentStore, progress: Progress, early: Early | None = None
) -> None:
    """Download and verify. A broken download goes on where it stopped, if the registry knows ranges.

    Args:
        repository: where from.
        ref: what.
        content: where to.
        progress: told what happens.
        early: reads the blob as it grows; dropped where the beginning turns out to be another's.

    Raises:
        Invalid: the bytes are not what the digest and size promise.
        Unavailable: still broken after five attempts.
        NotFound, Unauthorized, Denied, NoSpace, System: see the message.
    """
    id_ = short(ref.digest)
    meter = Meter(progress, id_, "Downloading", ref.size)
    with content.ingest() as blob:
        download = _Download(repository, ref, blob, meter, early)
        failpoint("pull.begun")
        for attempt in range(ATTEMPTS):
            resumed = blob.size > 0
            try:
                await download.go_on()
            except Unavailable as error:
                if attempt == ATTEMPTS - 1:
                    raise
                await _pause(attempt, error, id_, progress)
                continue
            if blob.digest == ref.digest or not resumed:
                break
            # Pieces of two answers do not fit together: once more, whole.
            await download.restart()
        meter.show(blob.size, last=True)
        progress(step(id_, "Verifying Checksum"))
        failpoint("pull.received")
        await asyncio.to_thread(blob.commit, ref.digest)
    failpoint("pull.verified")
    progress(step(id_, "Download complete"))


def pause_after(error: Exception, attempt: int) -> float:
    """Seconds to wait before the next attempt: longer each time, and as long as the registry wants."""
    pause: float = _FIRST_PAUSE * 2**attempt
    return min(max(pause, error.after), _LONGEST_PAUSE) if isinstance(error, Busy) else pause


async def _pause(attempt: int, error: Unavailable, id_: str, progress: Progress) -> None:
    pause = pause_after(error, attempt)
    progress(step(id_, f"Retrying in {max(1, round(pause))} second{'s' if pause >= 2 else ''}"))
    await asyncio.sleep(pause)


class _Download:
    """One blob, over as many answers as it takes."""

    def __init__(self, repository: Repository, ref: BlobRef, blob: Ingest, meter: Meter, early: Early | None) -> None:
        self._repository, self._ref, self._blob, self._meter, self._early = repository, ref, blob, meter, early
        self._begun = False

    async def restart(self) -> None:
        """From the first byte."""
        self._blob.restart()
        if self._early is not None:
            await self._early.drop()
            self._early = None

    async def go_on(self) -> None:
        """One request for what is missing.

        Raises:
            Unavailable: it broke off; what came is kept.
            Invalid: more than promised, or packed once more.
        """
        ref, blob = self._ref, self._blob
        if blob.size >= ref.size > 0:
            await self.restart()
        response = await self._repository.blob(ref.digest, blob.size)
        async with response:
            if response.headers.get("Content-Encoding", "identity") not in {"", "identity"}:
                raise Invalid(f"the registry packed blob {ref.digest} once more: refused")
            if blob.size:
                match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
                if response.status != 206 or match is None or int(match[1]) != blob.size:
                    await self.restart()
                    if response.status != 200:
                        raise Unavailable("the registry answered with another range than asked")
            await self._receive(response)
        if blob.size < ref.size:
            raise Unavailable(f"the download of {ref.digest} broke off: unexpected EOF")

    async def _receive(self, response: aiohttp.ClientResponse) -> None:
        ref = self._ref
        behind = _Behind(self._blob, self._written)
        received = self._blob.size
        try:
            async for part in response.content.iter_any():
                received += len(part)
                if received > ref.size:
                    raise Invalid(f"blob {ref.digest} is larger than the {ref.size} bytes that its manifest says")
                await behind.put(part)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Unavailable(f"the download of {ref.digest} broke off: {error or type(error).__name__}") from error
        finally:
            await behind.end()

    def _written(self) -> None:
        self._meter.show(self._blob.size)
        self._tell()
        failpoint("pull.half")

    def _tell(self) -> None:
        if self._early is None:
            return
        if not self._begun:
            self._begun = True
            self._early.begin(self._blob)
        self._early.grew()


class _Behind:
    """Writes and hashes a blob in threads, while the next bytes come: no hop to a thread holds the download up."""

    def __init__(self, blob: Ingest, written: Callable[[], None]) -> None:
        """``written`` is called after each piece."""
        self._blob, self._done = blob, written
        self._parts: list[bytes] = []
        self._held = 0
        self._task: asyncio.Task[None] | None = None

    async def put(self, part: bytes) -> None:
        """Take bytes; waits while too many are not yet written.

        Raises:
            NoSpace, System: the disk refused.
        """
        self._parts.append(part)
        self._held += len(part)
        if self._held >= _PIECE and (self._task is None or self._task.done()):
            await self._settled()
            self._task = asyncio.create_task(self._write())
        elif self._held >= _HELD:
            await self._settled()

    async def end(self) -> None:
        """Write what is left."""
        await self._settled()
        if self._parts:
            await asyncio.to_thread(self._blob.write, self._take())

    async def _settled(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            await task

    async def _write(self) -> None:
        while self._held >= _PIECE:
            await asyncio.to_thread(self._blob.write, self._take())
            self._done()

    def _take(self) -> bytes:
        data, self._parts, self._held = b"".join(self._parts), [], 0
        return data
