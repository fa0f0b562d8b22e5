"""Attach over a WebSocket: plain bytes both ways, text in the oldest versions, closed with the run."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.agent.engine.cli.docker import Docker

ECHO = "run -di --name aa busy sh -c 'echo start; cat'"
QUERY = "stream=1&stdin=1&stdout=1&stderr=1&logs=1"


@contextlib.asynccontextmanager
async def attached(docker: Docker, version: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    connector = aiohttp.UnixConnector(str(docker.socket))
    async with (
        aiohttp.ClientSession("http://d", connector=connector) as session,
        session.ws_connect(f"/v{version}/containers/aa/attach/ws?{QUERY}") as socket,
    ):
        yield socket


async def until_read(socket: aiohttp.ClientWebSocketResponse, wanted: bytes) -> None:
    got = b""
    while wanted not in got:
        got += await socket.receive_bytes(timeout=10)


async def test_it_works(docker: Docker) -> None:
    docker.ok(ECHO)
    async with attached(docker, "1.41") as socket:
        await until_read(socket, b"start\n")
        await socket.send_str("text\n")
        await until_read(socket, b"text\n")
        await socket.send_bytes(b"\x01\x02\n")
        await until_read(socket, b"\x01\x02\n")
        docker.ok("kill aa")
        assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE


async def test_text_in_the_oldest_versions(docker: Docker) -> None:
    docker.ok(ECHO)
    async with attached(docker, "1.24") as socket:
        assert (await socket.receive_str(timeout=10)).startswith("start\n")


@pytest.mark.parametrize(("name", "status"), [("aa", 400), ("nosuch", 404)])
def test_what_is_no_websocket(docker: Docker, name: str, status: int) -> None:
    docker.ok(ECHO)
    assert docker.api("GET", f"/containers/{name}/attach/ws?{QUERY}")[0] == status
