"""The allow-list of streams: what is on it passes, all else is refused by name."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.link.docker import Engine
from agent.link.pipes import ROUTES, find_route, serve
from agent.link.policy import Denied, Policy


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/containers/abc/logs", "logs"),
        ("GET", "/containers/abc/stats", "stats"),
        ("GET", "/images/json", "image list"),
        ("GET", "/images/localhost:5000/a/b:1/json", "inspect image"),
        ("GET", "/images/sha256:abc/history", "image history"),
        ("POST", "/exec/abc/start", "exec start"),
        ("PUT", "/containers/abc/archive", "archive put"),
        ("GET", "/system/df", "disk usage"),
    ],
)
def test_it_works(method: str, path: str, name: str) -> None:
    assert find_route({"method": method, "path": path, "query": {}})[0].name == name


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/create"), ("POST", "/containers/abc/start"), ("DELETE", "/containers/abc"),
        ("POST", "/containers/abc/kill"), ("POST", "/images/create"), ("POST", "/build"), ("POST", "/commit"),
        ("GET", "/containers/abc/export"), ("GET", "/images/get"), ("GET", "/images/x/get"), ("GET", "/info"),
        ("GET", "/containers/../info"), ("GET", "/images/../containers/abc/json"), ("GET", "/images/a//b/json"),
        ("GET", "/v1.41/containers/abc/logs"), ("GET", "/containers/a%2fb/logs"), ("GET", "/containers/abc/logs?x=1"),
        ("GET", "/containers/abc/logs HTTP/1.1\r\nX: y"), ("POST", "/session"), ("POST", "/grpc"), ("GET", "/secrets"),
        ("POST", "/volumes/create"), ("POST", "/networks/x/connect"),
        ("POST", "/containers/abc/update"), ("get", "/events"),
    ],
)  # fmt: skip
def test_all_else_is_refused(method: str, path: str) -> None:
    with pytest.raises(Denied) as caught:
        find_route({"method": method, "path": path, "query": {}})
    assert caught.value.rule == "allow_list"


@pytest.mark.parametrize(
    "head",
    [{}, {"method": 1, "path": "/events"}, {"method": "GET", "path": "/events", "query": "x"},
     {"method": "GET", "path": "/events", "query": {"evil": 1}}],
)  # fmt: skip
def test_a_head_that_is_none_is_refused(head: dict[str, object]) -> None:
    with pytest.raises(Denied):
        find_route(head)


def test_nothing_on_the_list_changes_an_object_of_the_engine() -> None:
    """Exec sessions and files inside a container aside."""
    for route in ROUTES:
        if route.method not in {"GET", "HEAD"}:
            assert route.name.startswith(("exec", "archive", "attach", "resize")), route


class FakeStream:
    """One stream of the control plane's: what it sends, then its end; and what came back."""

    def __init__(self, *sent: bytes) -> None:
        self.sent = list(sent)
        self.got = b""
        self.refused = ""

    async def read(self) -> bytes:
        return self.sent.pop(0) if self.sent else b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    async def accept(self, head: dict[str, Any]) -> None: ...

    async def write(self, data: bytes) -> None:
        self.got += data

    async def end(self) -> None: ...

    async def reset(self, code: str, message: str = "") -> None:
        self.refused = f"{code} {message}"


async def answered(tmp_path: Path, reply: list[bytes], stream: FakeStream, head: dict[str, Any]) -> bytes:
    """Serve one stream on an engine that sends a reply piece by piece; what was sent to it after the head."""
    after = b""

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal after
        await reader.readuntil(b"\r\n\r\n")
        for piece in reply:
            writer.write(piece)
            await asyncio.sleep(0.05)
            if reader.at_eof():
                # as an engine in Go: a client that has ended its half has left
                break
        writer.write_eof()
        after = await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(engine, tmp_path / "engine")
    async with server:
        await serve(stream, head, Engine(tmp_path / "engine"), Policy(tmp_path / "policy.toml"))  # type: ignore[arg-type]
    return after


async def test_the_log_of_a_terminal_goes_on_though_its_viewer_sends_no_more(tmp_path: Path) -> None:
    reply = [b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n", b"one", b"two", b"three"]
    stream = FakeStream()
    await answered(tmp_path, reply, stream, {"method": "GET", "path": "/containers/a/logs", "query": {"follow": 1}})
    assert stream.got == b"onetwothree"


async def test_a_hijacked_call_gets_the_viewers_bytes_after_the_head(tmp_path: Path) -> None:
    head = {"method": "POST", "path": "/containers/a/attach", "query": {"stdin": "1"}, "upgrade": True}
    reply = [b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", b"hello"]
    stream = FakeStream(b"ls\n")
    assert await answered(tmp_path, reply, stream, head) == b"ls\n"
    assert stream.got == b"hello"


@pytest.mark.parametrize("stdin", ["1", "true", "TRUE", "yes", "t", "2", " 1"])
async def test_no_word_for_stdin_gets_past_the_policy(tmp_path: Path, stdin: str) -> None:
    (tmp_path / "policy.toml").write_text("exec = false")
    head = {"method": "POST", "path": "/containers/a/attach", "query": {"stdin": stdin}, "upgrade": True}
    stream = FakeStream()
    await serve(stream, head, Engine(tmp_path / "engine"), Policy(tmp_path / "policy.toml"))  # type: ignore[arg-type]
    assert "rule: exec" in stream.refused


@pytest.mark.parametrize("name", ["Privileged", "privileged", "PRIVILEGED"])
async def test_no_spelling_of_privileged_gets_past_the_policy(tmp_path: Path, name: str) -> None:
    (tmp_path / "policy.toml").write_text("privileged = false")
    stream = FakeStream(json.dumps({"Cmd": ["sh"], name: True}).encode() + b"\n")
    head = {"method": "POST", "path": "/containers/a/exec"}
    await serve(stream, head, Engine(tmp_path / "engine"), Policy(tmp_path / "policy.toml"))  # type: ignore[arg-type]
    assert stream.refused.startswith("denied")
