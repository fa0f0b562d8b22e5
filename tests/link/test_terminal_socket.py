"""Stats, exec and attach over sockets."""

import asyncio
import json
import subprocess
import uuid
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection

from tests.link.browser import closing, open_socket, say, until
from tests.link.stack import Stack, wait_for
from tests.link.test_orders import docker


@pytest.fixture
def owner(stack: Stack) -> dict[str, str]:
    return stack.do("user", "typist-1", "owner")


@pytest.fixture
def container(stack: Stack, host: str, engine: str, name: str) -> Iterator[str]:
    docker(engine, "run", "-d", "--name", name, "lnk-busybox:1", "sleep", "600")
    rows = wait_for(lambda: [one for one in stack.do("containers", host) if one["name"] == name], 30)
    yield rows[0]["id"]
    docker(engine, "rm", "-f", name)


def exec_create(engine: str, name: str, *command: str, tty: bool) -> str:
    body = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": tty, "Cmd": list(command)}
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", engine.removeprefix("unix://"), "-H", "Content-Type: application/json",
         "-d", json.dumps(body), f"http://d/containers/{name}/exec"], capture_output=True, check=True, timeout=10,
    )  # fmt: skip
    return json.loads(done.stdout)["Id"]


async def output(socket: ClientConnection, seconds: float = 10) -> tuple[bytes, int | None]:
    """All bytes, and the exit code."""
    data = b""
    async with asyncio.timeout(seconds):
        while True:
            message = await socket.recv()
            if isinstance(message, bytes):
                data += message
            elif (found := json.loads(message))["type"] == "exit":
                return data, found["code"]


async def test_a_terminal(stack: Stack, engine: str, name: str, container: str, owner: dict[str, str]) -> None:
    exec_id = exec_create(engine, name, "sh", tty=True)
    async with await open_socket(stack, f"/ws/containers/{container}/exec?exec={exec_id}", owner) as socket:
        await say(socket, "resize", cols=123, rows=45)
        assert (await until(socket, "ready"))["tty"]
        await asyncio.sleep(0.3)
        await socket.send("stty size; echo grüße; exit 7\n".encode())
        data, code = await output(socket)
        assert code == 7
        assert b"45 123" in data
        assert "grüße".encode() in data
        assert await closing(socket) == 1000


async def test_without_a_terminal_streams_are_apart_and_eof_ends_it(
    stack: Stack, engine: str, name: str, container: str, owner: dict[str, str]
) -> None:
    exec_id = exec_create(engine, name, "sh", "-c", "cat; echo bad >&2", tty=False)
    async with await open_socket(stack, f"/ws/containers/{container}/exec?exec={exec_id}", owner) as socket:
        await until(socket, "ready")
        await socket.send(b"some input\n")
        await say(socket, "eof")
        data, code = await output(socket)
        assert code == 0
        assert b"\x01some input\n" in data
        assert b"\x02bad\n" in data


async def test_a_large_answer_comes_whole(
    stack: Stack, engine: str, name: str, container: str, owner: dict[str, str]
) -> None:
    exec_id = exec_create(engine, name, "sh", "-c", "yes 0123456789 | head -c 5000000", tty=True)
    async with await open_socket(stack, f"/ws/containers/{container}/exec?exec={exec_id}", owner) as socket:
        await say(socket, "resize", cols=80, rows=24)
        data, code = await output(socket, 30)
        assert code == 0
        assert len(data.replace(b"\r", b"")) == 5_000_000


async def test_anothers_exec_session_is_not_found(
    stack: Stack, host: str, engine: str, name: str, container: str, owner: dict[str, str]
) -> None:
    other = f"{name}-b"
    docker(engine, "run", "-d", "--name", other, "lnk-busybox:1", "sleep", "600")
    try:
        exec_id = exec_create(engine, other, "sh", tty=True)
        socket = await open_socket(stack, f"/ws/containers/{container}/exec?exec={exec_id}", owner)
        assert await closing(socket) == 4404
    finally:
        docker(engine, "rm", "-f", other)
    assert await closing(await open_socket(stack, f"/ws/containers/{container}/exec?exec=../x", owner)) == 4400
    assert await closing(await open_socket(stack, f"/ws/containers/{container}/exec?exec={'a' * 64}", owner)) == 4404


async def test_leaving_a_terminal_leaves_no_stream(
    stack: Stack, engine: str, name: str, container: str, owner: dict[str, str]
) -> None:
    exec_id = exec_create(engine, name, "cat", tty=True)
    async with await open_socket(stack, f"/ws/containers/{container}/exec?exec={exec_id}", owner) as socket:
        await say(socket, "resize", cols=80, rows=24)
        await until(socket, "ready")
    async with await open_socket(stack, f"/ws/containers/{container}/stats", owner) as socket:
        await until(socket, "sample")


async def test_stats(stack: Stack, container: str, owner: dict[str, str]) -> None:
    async with await open_socket(stack, f"/ws/containers/{container}/stats?every=1", owner) as socket:
        sample = await until(socket, "sample", 10)
        assert {
            "at",
            "cpu_percent",
            "memory_bytes",
            "memory_cache",
            "memory_limit",
            "net",
            "block",
            "pids",
        } <= sample.keys()
        assert sample["pids"] == 1


async def test_stats_of_a_host(stack: Stack, host: str, owner: dict[str, str]) -> None:
    host_id = stack.do("host", host)["id"]
    async with await open_socket(stack, f"/ws/hosts/{host_id}/stats", owner) as socket:
        assert (await until(socket, "sample", 15))["memory_bytes"] > 0


async def test_attach(stack: Stack, host: str, engine: str, owner: dict[str, str]) -> None:
    own = f"lnk-{uuid.uuid4().hex[:8]}"
    docker(engine, "run", "-d", "-i", "--name", own, "lnk-busybox:1", "sh", "-c", "read x; echo got $x; exit 5")
    try:
        rows = await asyncio.to_thread(
            wait_for, lambda: [one for one in stack.do("containers", host) if one["name"] == own], 10
        )
        async with await open_socket(stack, f"/ws/containers/{rows[0]['id']}/attach?stdin=1", owner) as socket:
            await until(socket, "ready")
            await socket.send(b"it\n")
            data, code = await output(socket)
            assert data == b"\x01got it\n"
            assert code == 5
    finally:
        docker(engine, "rm", "-f", own)
