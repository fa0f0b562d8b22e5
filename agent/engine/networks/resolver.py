"""The embedded resolver of one container: sockets inside its namespace, answered by the engine's loop.

The container asks 127.0.0.11:53. Port 53 itself is left to the container's own programs: two rules inside its namespace
lead there to sockets on a number of the kernel's choice, as Docker does it.
"""

import asyncio
import contextlib
import functools
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

from agent.engine.errors import System
from agent.engine.kernel.networkers import Home, NetWorkers
from agent.engine.kernel.nftables import run_once
from agent.engine.networks import dns, hostfiles
from agent.engine.networks.dns import Names, Query

PORT = 53
TABLE = "longshore-dns"
TIMEOUT = 1.5
"""Of all servers together: an answer of SERVFAIL comes within two seconds."""
AT_ONCE = 100
"""Forwarded queries of one container; more are refused at once."""
A_SECOND = 2000
"""Queries of one container by UDP that are read at all; a flood must not starve the engine's loop."""
CONNECTIONS = 32
IDLE = 10
Opener = Callable[[str, socket.SocketKind], Awaitable[socket.socket]]
"""Makes a socket towards a server, where it is to be asked from."""


def rules(udp: int, tcp: int, *, fresh: bool) -> str:
    """Inside the container's namespace: from port 53 of the resolver's address to ours.

    Args:
        fresh: no earlier engine has been here. Closing a context that deleted a table takes 6 to 15 ms.
    """
    lines = "".join(
        f"    ip daddr {hostfiles.EMBEDDED} {protocol} dport {PORT} dnat to {hostfiles.EMBEDDED}:{port}\n"
        for protocol, port in (("udp", udp), ("tcp", tcp))
    )
    replaced = "" if fresh else f"add table ip {TABLE}\ndelete table ip {TABLE}\n"
    return (
        f"{replaced}table ip {TABLE} {{\n"
        f"  chain output {{\n    type nat hook output priority -100; policy accept;\n{lines}  }}\n}}\n"
    )


def _open(home: Home, namespace: Path, fresh: bool) -> tuple[socket.socket, socket.socket]:
    udp = tcp = None
    try:
        with home.inside(namespace):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((hostfiles.EMBEDDED, 0))
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            tcp.bind((hostfiles.EMBEDDED, 0))
            tcp.listen(CONNECTIONS)
            run_once(rules(udp.getsockname()[1], tcp.getsockname()[1], fresh=fresh))
    except (OSError, System) as error:
        for one in (udp, tcp):
            if one is not None:
                one.close()
        raise System(f"the resolver of {namespace.name} cannot be set up: {error}") from error
    udp.setblocking(False)
    tcp.setblocking(False)
    return udp, tcp


class Resolver(asyncio.DatagramProtocol):
    """Answers one container."""

    def __init__(self, names: Callable[[], Names], upstream: Callable[[], Sequence[str]], *, inside: bool) -> None:
        """
        Args:
            names: what the container may see now.
            upstream: servers to ask, by address.
            inside: they are asked from within the container's namespace, else from where the engine's process is.
        """
        self._names = names
        self._upstream = upstream
        self._inside = inside
        self._opener: Opener = _open_here
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.sockets: tuple[socket.socket, ...] = ()
        self._connections = 0
        self._second, self._queries = 0, 0

    async def start(self, workers: NetWorkers, namespace: Path, *, fresh: bool) -> None:
        """Open the sockets and serve them.

        Args:
            fresh: no resolver has served this namespace before.

        Raises:
            System: the namespace is gone, or refuses.
        """
        await self.serve(workers, namespace, *await workers.run(lambda home: _open(home, namespace, fresh)))

    async def serve(self, workers: NetWorkers, namespace: Path, udp: socket.socket, tcp: socket.socket) -> None:
        """Serve sockets that are open, and close them in the end."""
        self.sockets = (udp, tcp)
        if self._inside:
            self._opener = functools.partial(_open_inside, workers, namespace)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=udp)
        self._server = await asyncio.start_server(self._stream, sock=tcp)

    def close(self) -> None:
        """Stop; queries under way are dropped."""
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One query by UDP."""
        if self._flooded():
            return
        try:
            query = dns.parse(data)
        except dns.Malformed:
            return
        reply = dns.answer(query, self._names())
        if reply is not None:
            self._send(query, reply, addr)
        elif len(self._tasks) >= AT_ONCE:
            self._send(query, dns.refuse(query), addr)
        else:
            task = asyncio.get_running_loop().create_task(self._relay(query, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _flooded(self) -> bool:
        second = int(time.monotonic())
        self._second, self._queries = second, self._queries + 1 if second == self._second else 1
        return self._queries > A_SECOND

    def _send(self, query: Query, reply: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(reply if len(reply) <= dns.udp_limit(query) else dns.truncated(query), addr)

    async def _relay(self, query: Query, addr: tuple[str, int]) -> None:
        self._send(query, await self._ask(query, stream=False), addr)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError, dns.Malformed):
                while True:
                    async with asyncio.timeout(IDLE):
                        length = int.from_bytes(await reader.readexactly(2))
                        query = dns.parse(await reader.readexactly(length))
                    reply = dns.answer(query, self._names()) or await self._ask(query, stream=True)
                    writer.write(len(reply).to_bytes(2) + reply)
                    await writer.drain()
        finally:
            self._connections -= 1
            writer.close()

    async def _ask(self, query: Query, *, stream: bool) -> bytes:
        """The first good answer of the servers in turn, else SERVFAIL."""
        # Our own address may have come into the host's resolv.conf: asking it would go round for ever.
        servers = [one for one in self._upstream() if one != hostfiles.EMBEDDED]
        patience = TIMEOUT / max(1, len(servers))
        for server in servers:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(patience):
                    return await (_ask_stream if stream else _ask_datagram)(self._opener, server, query)
        return dns.refuse(query)


def _outward(server: str, kind: socket.SocketKind) -> socket.socket:
    six = ip_address(server.split("%", maxsplit=1)[0]).version == 6
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind)
    made.setblocking(False)
    return made


async def _open_here(server: str, kind: socket.SocketKind) -> socket.socket:
    return _outward(server, kind)


async def _open_inside(workers: NetWorkers, namespace: Path, server: str, kind: socket.SocketKind) -> socket.socket:
    def make(home: Home) -> socket.socket:
        with home.inside(namespace):
            return _outward(server, kind)

    return await workers.run(make)


async def _ask_datagram(opener: Opener, server: str, query: Query) -> bytes:
    loop = asyncio.get_running_loop()
    with await opener(server, socket.SOCK_DGRAM) as outward:
        await loop.sock_connect(outward, (server, PORT))
        # The id is ours, so that a container cannot guess what another's answer must look like.
        mark = secrets.token_bytes(2)
        await loop.sock_sendall(outward, mark + query.raw[2:])
        while True:
            reply = await loop.sock_recv(outward, 1 << 16)
            if reply[:2] == mark and dns.is_answer(query, query.raw[:2] + reply[2:]):
                return query.raw[:2] + reply[2:]


async def _ask_stream(opener: Opener, server: str, query: Query) -> bytes:
    outward = await opener(server, socket.SOCK_STREAM)
    try:
        await asyncio.get_running_loop().sock_connect(outward, (server, PORT))
    except BaseException:
        outward.close()
        raise
    reader, writer = await asyncio.open_connection(sock=outward)
    try:
        writer.write(len(query.raw).to_bytes(2) + query.raw)
        await writer.drain()
        reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        if not dns.is_answer(query, reply):
            raise OSError("not an answer")
        return reply
    finally:
        writer.close()
