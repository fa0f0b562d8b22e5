"""Raw connections: both heads, early bytes, half-close, the end, and a client that does not read or goes away."""

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from agent.engine.api import server
from agent.engine.api.hijack import RAW, Hijack, content_type, until_gone

UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
ended: list[str] = []


async def _echo(request: web.Request) -> web.StreamResponse:
    """Send back what comes; at the client's end say so and close."""
    body = await request.read()
    hijack = Hijack(request, content_type(request, tty=False))
    async with hijack as connection:
        if body:
            await connection.write(b"body:" + body + b";")
        try:
            while data := await connection.read():
                await connection.write(data)
            await connection.write(b"<end>")
        finally:
            ended.append("gone" if connection.gone.is_set() else "end")
    return hijack.answer


async def _flood(request: web.Request) -> web.StreamResponse:
    hijack = Hijack(request, RAW)
    async with hijack as connection:
        for _ in range(1000):
            await connection.write(b"x" * 65536)
            ended.append("wrote")
    return hijack.answer


@asynccontextmanager
async def _serving(path: Path) -> AsyncIterator[Path]:
    ended.clear()
    runner = await server.listen(server.application([web.post("/echo", _echo), web.post("/flood", _flood)]), path / "s")
    try:
        yield path / "s"
    finally:
        await runner.cleanup()
    assert runner.server is None or not runner.server.connections


async def _open(path: Path, request: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(request.encode())
    return reader, writer


def _post(path: str, *fields: str, body: str = "") -> str:
    return f"POST {path} HTTP/1.1\r\nHost: d\r\nContent-Length: {len(body)}\r\n" + "".join(fields) + "\r\n" + body


@pytest.mark.parametrize(
    ("fields", "path", "first", "kind"),
    [
        (UPGRADE, "/v1.41/echo", b"HTTP/1.1 101 UPGRADED", b"application/vnd.docker.raw-stream"),
        (UPGRADE, "/v1.42/echo", b"HTTP/1.1 101 UPGRADED", b"application/vnd.docker.multiplexed-stream"),
        ("", "/v1.41/echo", b"HTTP/1.1 200 OK", b"application/vnd.docker.raw-stream"),
    ],
)
async def test_both_heads_half_close_and_our_close(
    tmp_path: Path, fields: str, path: str, first: bytes, kind: bytes
) -> None:
    async with _serving(tmp_path) as at:
        reader, writer = await _open(at, _post(path, "Content-Type: application/json\r\n", fields, body='{"a":1}'))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(first + b"\r\n")
        assert b"Content-Type: " + kind + b"\r\n" in head
        assert b"Api-Version: 1.47\r\n" in head
        writer.write(b"hello")
        await asyncio.sleep(0.05)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b'body:{"a":1};hello<end>'
        writer.close()
    assert ended == ["end"]


async def test_a_client_that_half_closes_with_its_request(tmp_path: Path) -> None:
    async with _serving(tmp_path) as at:
        reader, writer = await _open(at, _post("/echo", UPGRADE))
        await reader.readuntil(b"\r\n\r\n")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b"<end>"
        writer.close()


async def test_a_client_that_goes_away(tmp_path: Path) -> None:
    async with _serving(tmp_path) as at:
        reader, writer = await _open(at, _post("/echo", UPGRADE))
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.get_extra_info("socket")
        writer.transport.abort()
        await asyncio.sleep(0.2)
    assert len(ended) == 1


async def test_a_client_that_goes_away_while_we_are_silent_is_noticed(tmp_path: Path) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        hijack = Hijack(request, RAW)
        async with hijack as connection:
            await until_gone(connection, asyncio.sleep(60))
            ended.append("noticed")
        return hijack.answer

    ended.clear()
    runner = await server.listen(server.application([web.post("/silent", silent)]), tmp_path / "s")
    gc.collect()  # what earlier tests left to it is none of ours
    before = len(os.listdir("/proc/self/fd"))
    reader, writer = await _open(tmp_path / "s", _post("/silent", UPGRADE))
    await reader.readuntil(b"\r\n\r\n")
    writer.write_eof()
    await asyncio.sleep(0.1)
    assert ended == []
    writer.close()
    await asyncio.sleep(0.1)
    assert ended == ["noticed"]
    assert len(os.listdir("/proc/self/fd")) <= before
    await runner.cleanup()


async def test_a_client_that_does_not_read_holds_up_its_writer_in_bounded_memory(tmp_path: Path) -> None:
    async with _serving(tmp_path) as at:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(at))
            link.sendall(_post("/flood", UPGRADE).encode())
            await asyncio.sleep(0.3)
            assert 0 < len(ended) < 20
        await asyncio.sleep(0.1)
    assert len(ended) < 20


async def test_many_connections_leave_nothing_behind(tmp_path: Path) -> None:
    async with _serving(tmp_path) as at:
        before = len(asyncio.all_tasks())
        for _ in range(50):
            reader, writer = await _open(at, _post("/echo", UPGRADE))
            await reader.readuntil(b"\r\n\r\n")
            writer.write_eof()
            await reader.read()
            writer.close()
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) <= before + 1


async def test_the_head_comes_alone(tmp_path: Path) -> None:
    """docker-py reads it through a buffer that it then throws away."""
    body = b"b" * 100
    request = f"POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: {len(body)}\r\n{UPGRADE}\r\n".encode() + body
    loop = asyncio.get_running_loop()
    async with _serving(tmp_path) as path:
        with socket.socket(socket.AF_UNIX) as link:
            link.setblocking(False)
            await loop.sock_connect(link, str(path))
            await loop.sock_sendall(link, request)
            assert (await loop.sock_recv(link, 65536)).endswith(b"\r\n\r\n")
            assert await loop.sock_recv(link, 65536) == b"body:" + body + b";"
            link.shutdown(socket.SHUT_WR)
            assert await loop.sock_recv(link, 65536) == b"<end>"
