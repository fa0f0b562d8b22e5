"""Bytes from a published port to a container where no rule can rewrite the address: IPv6 clients of IPv4 containers,
::1, and TCP while the firewall's table is missing.

Runs on the engine's loop; sockets towards the container are made in the engine's network namespace by a worker thread.
"""

import asyncio
import contextlib
import socket
from collections import OrderedDict

from agent.engine.kernel.networkers import NetWorkers

CHUNK = 1 << 16
CONNECT_TIMEOUT = 10
SESSIONS = 1024


class TcpRelay:
    """Serves one listening socket, and closes it in the end."""

    def __init__(self, workers: NetWorkers, listener: socket.socket, target: tuple[str, int]) -> None:
        self._workers = workers
        self._listener = listener
        self.target = target
        """Address and port; new connections follow a change."""
        self.version = 6 if listener.family == socket.AF_INET6 else 4
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to accept."""
        self._server = await asyncio.start_server(self._serve, sock=self._listener)

    def close(self) -> None:
        """Stop accepting and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                outward = await _towards(self._workers, self.target, socket.SOCK_STREAM)
            answers, far = await asyncio.open_connection(sock=outward)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, far))
                both.create_task(_pump(answers, writer))
        except (OSError, TimeoutError, ExceptionGroup):
            pass
        finally:
            self._connections.discard(task)
            for end in (writer, far):
                if end is not None:
                    end.close()


class UdpRelay(asyncio.DatagramProtocol):
    """Serves one bound UDP socket, and closes it in the end. Each client has a socket of its own to the container."""

    def __init__(self, workers: NetWorkers, bound: socket.socket, target: tuple[str, int]) -> None:
        self._workers = workers
        self._bound = bound
        self.target = target
        """Address and port; new clients follow a change."""
        self.version = 6 if bound.family == socket.AF_INET6 else 4
        self._front: asyncio.DatagramTransport | None = None
        self._sessions: OrderedDict[tuple[str, int], asyncio.Future[asyncio.DatagramTransport]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to read."""
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(lambda: self, sock=self._bound)

    def close(self) -> None:
        """Stop and forget every client."""
        if self._front is not None:
            self._front.close()
        for session in self._sessions.values():
            self._end(session)
        for task in self._tasks:
            task.cancel()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Pass one datagram on."""
        task = asyncio.get_running_loop().create_task(self._forward(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, data: bytes, client: tuple[str, int]) -> None:
        session = self._sessions.get(client)
        if session is None:
            session = self._sessions[client] = asyncio.ensure_future(self._open(client))
            while len(self._sessions) > SESSIONS:
                self._end(self._sessions.popitem(last=False)[1])
        self._sessions.move_to_end(client)
        try:
            (await session).sendto(data)
        except OSError:
            self._sessions.pop(client, None)

    async def _open(self, client: tuple[str, int]) -> asyncio.DatagramTransport:
        outward = await _towards(self._workers, self.target, socket.SOCK_DGRAM)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Answers(self._front, client), sock=outward)
        return transport

    @staticmethod
    def _end(session: "asyncio.Future[asyncio.DatagramTransport]") -> None:
        if session.done() and not session.cancelled() and session.exception() is None:
            session.result().close()
        else:
            session.cancel()


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, front: asyncio.DatagramTransport | None, client: tuple[str, int]) -> None:
        self._front = front
        self._client = client

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._front is not None:
            self._front.sendto(data, self._client)


async def _towards(workers: NetWorkers, target: tuple[str, int], kind: socket.SocketKind) -> socket.socket:
    def make(_: object) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, kind)
        made.setblocking(False)
        return made

    outward = await workers.run(make)
    try:
        await asyncio.get_running_loop().sock_connect(outward, target)
    except BaseException:
        outward.close()
        raise
    return outward


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
