"""A client at a container's stdio.

Output is read from the log, from the moment of attaching on: so a client that reads slowly, or not at all, never blocks
the container (conmon's own socket does, after 180 KB), nothing is lost between attach and start, and a client finds its
place again after a restart of the engine. Input goes through conmon's socket. Docker Engine API: ContainerAttach.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.engine.containers.io.runs import Runs
from agent.engine.containers.logs.files import LogFiles
from agent.engine.containers.logs.reader import LogOptions, Logs, renderer
from agent.engine.errors import Conflict, Invalid
from agent.engine.state.records import ContainerRecord, Status
from agent.streams import detach

PACKET = 8192


class Client(Protocol):
    """The client's connection."""

    async def read(self) -> bytes: ...
    async def write(self, data: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """What the client wants of the container's stdio."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    logs: bool = False
    """First what the log holds already."""
    stream: bool = False
    """Then what comes, and the client's input."""
    detach_keys: str = ""
    framed: bool = True
    """Standard output and error are told apart, where there is no terminal."""


def keys(text: str) -> bytes:
    """The bytes of ``detachKeys``.

    Raises:
        Invalid: the text names no keys.
    """
    try:
        return detach.parse(text) if text else detach.DEFAULT
    except detach.BadKeys as error:
        raise Invalid(f"Invalid detach keys ({text}) provided") from error


def check(record: ContainerRecord) -> None:
    """Refuse what cannot be attached to now.

    Raises:
        Conflict: it is paused, or between two restarts.
    """
    if record.state.status is Status.PAUSED:
        raise Conflict(f"Container {record.id} is paused, unpause the container before attach.")
    if record.state.status is Status.RESTARTING:
        raise Conflict(f"Container {record.id} is restarting, wait until the container is running.")


class StdinSocket:
    """conmon's attach socket, for input only; the output that it repeats is thrown away."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        asyncio.get_running_loop().add_reader(link, self._discard)

    @classmethod
    def connect(cls, path: Path) -> "StdinSocket":
        """Open it. The path may be longer than a socket address can hold.

        Raises:
            OSError: nobody listens.
        """
        directory = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            link.connect(f"/proc/self/fd/{directory}/{path.name}")
        except BaseException:
            link.close()
            raise
        finally:
            os.close(directory)
        link.setblocking(False)
        return cls(link)

    def _discard(self) -> None:
        try:
            while self._link.recv(2 * PACKET):
                pass
        except BlockingIOError:
            return
        except OSError:
            pass
        asyncio.get_running_loop().remove_reader(self._link)

    async def write(self, data: bytes) -> None:
        """Hand bytes to the program; waits while it does not read."""
        loop = asyncio.get_running_loop()
        for at in range(0, len(data), PACKET):
            await loop.sock_sendall(self._link, data[at : at + PACKET])

    def end(self) -> None:
        """The program reads end of file, if its stdin was made for one client."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go."""
        asyncio.get_running_loop().remove_reader(self._link)
        self._link.close()


class Attaching:
    """Joins clients to containers.

    Args:
        logs: reads output.
        runs: knows starts and ends.
        socket_path: a container's id → conmon's attach socket.
    """

    def __init__(self, logs: Logs, runs: Runs, socket_path: "SocketPath") -> None:
        self._logs, self._runs, self._socket_path = logs, runs, socket_path

    def output(self, record: ContainerRecord, options: AttachOptions) -> AsyncGenerator[bytes, None]:
        """The wanted output as bytes for the client. What is written after this call is in it."""
        files = LogFiles(Path(record.log_path))
        if not options.logs:
            files.seek_end()
        return self._output(record, options, files)

    async def _output(
        self, record: ContainerRecord, options: AttachOptions, files: LogFiles
    ) -> AsyncGenerator[bytes, None]:
        ended = self._runs.when_ended(record.id, next_run=True) if options.stream else None
        wanted = renderer(record, LogOptions(stdout=options.stdout, stderr=options.stderr), framed=options.framed)
        try:
            async for data in self._logs.pump(files, wanted, ended):
                yield data
        finally:
            files.close()
            if ended is not None:
                ended.cancel()

    async def input(self, record: ContainerRecord, options: AttachOptions, client: Client) -> bool:
        """Pass the client's bytes on to the program, until they end.

        Returns:
            True if the client typed the detach keys.
        """
        matcher = detach.Matcher(keys(options.detach_keys) if record.tty else b"")
        if not await self._runs.started(record.id):
            return False
        try:
            program = StdinSocket.connect(self._socket_path(record.id))
        except OSError:
            return False  # it has ended already
        try:
            while data := await client.read():
                await program.write(matcher.feed(data))
                if matcher.detached:
                    return True
            if record.config.get("StdinOnce"):
                program.end()
                await self._runs.ended(record.id)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            program.close()
        return False

    async def serve(self, record: ContainerRecord, options: AttachOptions, client: Client) -> bool:
        """Join a client to the container until the run ends, the client detaches or goes away.

        Returns:
            True if the client detached by its keys.
        """
        if not (options.stream or options.logs):
            return False
        output = self.output(record, options)
        if not (options.stream and options.stdin and record.config.get("OpenStdin")):
            await self._send(output, client)
            return False
        sending = asyncio.create_task(self._send(output, client))
        typing = asyncio.create_task(self.input(record, options, client))
        try:
            await asyncio.wait({sending, typing}, return_when=asyncio.FIRST_COMPLETED)
            if typing.done() and not sending.done():
                if typing.result():
                    return True
                await sending
            return False
        finally:
            for task in (sending, typing):
                task.cancel()
            await asyncio.gather(sending, typing, return_exceptions=True)

    async def _send(self, output: AsyncGenerator[bytes, None], client: Client) -> None:
        try:
            async for data in output:
                await client.write(data)
        except ConnectionResetError:
            return


class SocketPath(Protocol):
    """A container's id → the path of conmon's attach socket."""

    def __call__(self, container_id: str, /) -> Path: ...


def resize(record: ContainerRecord, control: Path, rows: int, columns: int) -> None:
    """Tell the container's terminal its size, through conmon's control FIFO.

    Raises:
        Conflict: the container does not run.
    """
    if not record.state.alive:
        raise Conflict(f"Container {record.id} is not running")
    try:
        descriptor = os.open(control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Conflict(f"Container {record.id} is not running") from error
    try:
        os.write(descriptor, b"1 %d %d\n" % (rows, columns))
    finally:
        os.close(descriptor)
