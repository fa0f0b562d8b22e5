"""The stdio of an attached exec: pipes, or a terminal whose descriptor the runtime sends over a socket."""

import array
import asyncio
import contextlib
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from agent.engine.containers.io.attach import Client
from agent.engine.kernel import pidfd
from agent.streams import detach, stdcopy

BLOCK = 32 * 1024
_NOT_FOUND = re.compile(r"no such file or directory|not found", re.IGNORECASE)
# How long the runtime may take to hand over the terminal.
HANDOVER = 10.0
# Seconds between looks whether the program runs: the first words on stderr may be the runtime's own.
LOOK = 0.001


class Output:
    """Where an exec's bytes go. A client that has left takes nothing and hinders nothing."""

    def __init__(self, client: Client, *, framed: bool) -> None:
        self._client, self._framed = client, framed
        self.left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the client has detached or is gone."""

    def leave(self) -> None:
        """Send nothing more."""
        if not self.left.done():
            self.left.set_result(None)

    async def write(self, stream: int, data: bytes) -> None:
        """Send bytes of a stream; waits while the client does not read."""
        if self.left.done():
            return
        try:
            await self._client.write(stdcopy.frame(stream, data) if self._framed else data)
        except ConnectionResetError:
            self.leave()


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


async def readable(descriptor: int) -> None:
    """Wait until a descriptor has bytes, or its end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, future)
    try:
        await future
    finally:
        loop.remove_reader(descriptor)


async def read(descriptor: int) -> bytes:
    """Bytes of a non-blocking descriptor; empty at its end, which a terminal tells by EIO."""
    while True:
        try:
            return os.read(descriptor, BLOCK)
        except BlockingIOError:
            await readable(descriptor)
        except OSError:
            return b""


async def write(descriptor: int, data: bytes) -> None:
    """Write all bytes to a non-blocking descriptor.

    Raises:
        OSError: nobody reads any more.
    """
    loop = asyncio.get_running_loop()
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            future: asyncio.Future[None] = loop.create_future()
            loop.add_writer(descriptor, _settle, future)
            try:
                await future
            finally:
                loop.remove_writer(descriptor)


async def exit_code(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a child; 128 and the signal's number for one that was killed."""
    descriptor = pidfd.open_process(process.pid)
    if descriptor is not None:
        try:
            await pidfd.ended(descriptor)
        finally:
            os.close(descriptor)
    code = process.wait()
    return code if code >= 0 else 128 - code


def runtime_words(log: Path) -> str:
    """The runtime's last error, from its log in JSON lines; empty where it had none."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            return line
        if isinstance(entry, dict) and entry.get("level") == "error":
            return str(entry.get("msg", ""))
    return ""


def means_not_found(words: str) -> bool:
    """The runtime's words say that there is no such program."""
    return _NOT_FOUND.search(words) is not None


def set_size(terminal: int, rows: int, columns: int) -> None:
    """The terminal's size, told to its programs by SIGWINCH."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0))


class Stdio(Protocol):
    """What an exec needs of its pipes or its terminal."""

    def __enter__(self) -> "Stdio": ...
    def __exit__(self, *_: object) -> None: ...
    def spawn(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]": ...
    async def feed(self, client: Client, keys: bytes) -> bool: ...
    async def copy(self, output: Output) -> None: ...
    def resize(self, rows: int, columns: int) -> None: ...
    def ended(self, *, refused: bool) -> None: ...


class Pipes:
    """Three pipes; what the client does not want goes nowhere.

    Args:
        stdin, stdout, stderr: which the client wants.
        pid_file: written by the runtime once the program runs.
    """

    def __init__(self, stdin: bool, stdout: bool, stderr: bool, pid_file: Path) -> None:
        self._wanted, self._pid_file = (stdin, stdout, stderr), pid_file
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = asyncio.Event()
        self._refused = False

    def __enter__(self) -> "Pipes":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def spawn(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
        kinds = [subprocess.PIPE if wanted else subprocess.DEVNULL for wanted in self._wanted]
        process = subprocess.Popen(argv, stdin=kinds[0], stdout=kinds[1], stderr=kinds[2], bufsize=0)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        self._process = process
        return process

    def resize(self, rows: int, columns: int) -> None:
        """Pipes have no size."""

    def ended(self, *, refused: bool) -> None:
        """The runtime has ended; ``refused``: it could not run the program, and said so itself."""
        self._refused = refused
        self._ended.set()

    async def feed(self, client: Client, keys: bytes) -> bool:
        """The client's bytes to stdin, and its end."""
        assert self._process is not None
        pipe = self._process.stdin
        if pipe is None:
            return False
        with contextlib.suppress(OSError):
            while data := await client.read():
                await write(pipe.fileno(), data)
        with contextlib.suppress(OSError):
            pipe.close()
        return False

    async def copy(self, output: Output) -> None:
        """Both outputs to the client, until both have ended."""
        assert self._process is not None
        pipes = [(stdcopy.STDOUT, self._process.stdout), (stdcopy.STDERR, self._process.stderr)]
        async with asyncio.TaskGroup() as group:
            for stream, pipe in pipes:
                if pipe is not None:
                    group.create_task(self._one(stream, pipe.fileno(), output))

    async def _one(self, stream: int, descriptor: int, output: Output) -> None:
        first = await read(descriptor)
        if first and stream == stdcopy.STDERR:
            # The runtime writes its refusal here as well as in its log, from where it is told.
            while not self._ended.is_set() and not self._pid_file.exists():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), LOOK)
            if self._refused:
                return
        data = first
        while data:
            await output.write(stream, data)
            data = await read(descriptor)


class Terminal:
    """A terminal. Made before the runtime starts, which connects to the socket and sends the master's descriptor."""

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        self._path, self._size = path, size
        self._master = -1
        self._known = asyncio.Event()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> "Terminal":
        self._listener.bind(str(self._path))
        self._listener.listen(1)
        self._listener.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def spawn(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
        null = subprocess.DEVNULL
        return subprocess.Popen(argv, stdin=null, stdout=null, stderr=null)

    def resize(self, rows: int, columns: int) -> None:
        """Now, or once the runtime has sent the terminal: a client resizes right after the start."""
        self._size = (rows, columns)
        if self._master >= 0:
            set_size(self._master, rows, columns)

    def ended(self, *, refused: bool) -> None:
        """The runtime writes nothing on the terminal."""

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        link, _ = await asyncio.wait_for(loop.sock_accept(self._listener), HANDOVER)
        with link:
            link.setblocking(False)
            await readable(link.fileno())
            descriptors = array.array("i")
            _, ancillary, _, _ = link.recvmsg(4096, socket.CMSG_SPACE(descriptors.itemsize))
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    descriptors.frombytes(data[: descriptors.itemsize])
        if not descriptors:
            raise OSError("the runtime sent no terminal")
        os.set_blocking(descriptors[0], False)
        self._master = descriptors[0]
        if self._size:
            set_size(self._master, *self._size)
        self._known.set()

    async def feed(self, client: Client, keys: bytes) -> bool:
        """The client's bytes to the terminal; True once it has typed the detach keys.

        Its end closes nothing: a terminal has no half.
        """
        await self._known.wait()
        matcher = detach.Matcher(keys)
        with contextlib.suppress(OSError):
            while data := await client.read():
                await write(self._master, matcher.feed(data))
                if matcher.detached:
                    return True
        return False

    async def copy(self, output: Output) -> None:
        """What is shown on the terminal to the client, until the last program has let go of it."""
        await self._receive()
        while data := await read(self._master):
            await output.write(stdcopy.STDOUT, data)
