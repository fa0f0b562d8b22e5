"""Jobs inside containers' file systems, done by children of one process that is ready to fork (``taking``).

Starting an interpreter takes longer than most jobs do. So the process is kept for a while after its last job; it ends
with the engine, and each child ends with its job, or when ``Job`` is left.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path
from typing import Any

import agent
from agent.engine.errors import System

_PROJECT = str(Path(agent.__file__).parent.parent)
IDLE_SECONDS = 15.0
_LINE = 1 << 20
_PIPE = 1 << 20
_TRIES = 3

Json = dict[str, Any]


class Job:
    """One child at work."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._pidfd = -1

    async def begin(self) -> None:
        """Learn who the child is.

        Raises:
            System: it is gone already.
        """
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open((await self.said())["pid"])

    async def said(self) -> Json:
        """The next thing that the child has to say.

        Raises:
            System: it ended without.
        """
        try:
            line = await self._reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise System("looking into the container's file system failed") from error
        found: Json = json.loads(line)
        return found

    def go(self) -> None:
        """Let the tar begin."""
        self._writer.write(b"!")

    def end(self) -> None:
        """Whatever it does, it ends now."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = -1
        self._writer.close()


class Takers:
    """Starts jobs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._jobs = 0
        self._idle: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def job(self, options: Json, data: int = -1) -> AsyncGenerator[Job, None]:
        """A child that does this while the block runs.

        Args:
            options: see ``taking.jobs.work``.
            data: descriptor that it reads or writes a tar by; the caller's to close.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._jobs += 1
        try:
            with theirs:
                await self._hand_over(options, [theirs.fileno(), data if data >= 0 else theirs.fileno()])
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LINE)
            job = Job(reader, writer)
            try:
                await job.begin()
                yield job
            finally:
                job.end()
        finally:
            self._jobs -= 1
            self._rest()

    def close(self) -> None:
        """End the process, and with it all that is under way."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _hand_over(self, options: Json, descriptors: list[int]) -> None:
        message = json.dumps(options).encode()
        for _ in range(_TRIES):
            channel = self._ready()
            try:
                while True:
                    try:
                        socket.send_fds(channel, [message], descriptors, socket.MSG_DONTWAIT)
                    except BlockingIOError:
                        await asyncio.sleep(0.005)
                    else:
                        return
            except OSError:
                self.close()  # it has died: begin with a new one
        raise System("the process that looks into containers' file systems does not start")

    def _ready(self) -> socket.socket:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._channel is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 << 20)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-s", "-B", "-m", "agent.engine.containers.files.taking"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={"PYTHONPATH": _PROJECT, "LC_ALL": "C.UTF-8", "PATH": os.defpath},
                )
            self._channel = ours
        return self._channel

    def _rest(self) -> None:
        if self._jobs == 0 and self._channel is not None:
            if self._idle is not None:
                self._idle.cancel()
            self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.close)


def pipe() -> tuple[int, int]:
    """A pipe with room: (where to read, where to write)."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE)
    return reading, writing


async def pump(chunks: AsyncIterable[bytes], writing: int) -> None:
    """Write bytes into a pipe as they arrive, and close it. A reader that has gone is fine: it says why."""
    os.set_blocking(writing, False)
    try:
        async for chunk in chunks:
            view = memoryview(chunk)
            while view:
                try:
                    view = view[os.write(writing, view) :]
                except BlockingIOError:
                    await _writable(writing)
    except BrokenPipeError:
        return
    finally:
        os.close(writing)


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(descriptor, tell)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)
