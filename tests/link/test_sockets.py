"""W1 to W5: who may open a browser's socket, for how long, and what it may send."""

import asyncio
import contextlib
import json
import struct

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from controlplane.live.routes import ROUTES
from tests.link.browser import closing, open_socket, say, until
from tests.link.stack import Stack


@pytest.fixture
def owner(stack: Stack) -> dict[str, str]:
    return stack.do("user", "owner-1", "owner")


async def test_it_works(stack: Stack, host: str, owner: dict[str, str]) -> None:
    async with await open_socket(stack, "/ws/events", owner) as socket:
        assert socket.subprotocol == "longshore.v1"
        hello = await until(socket, "hello")
        assert {"seq", "epoch", "server_time", "version"} <= hello.keys()
        await say(socket, "subscribe", id="page", topics=["hosts", "orders", "containers"])
        await asyncio.sleep(0.1)
        stack.do("hint", "host", "updated", ["00000000-0000-0000-0000-000000000001"], host)
        while (await until(socket, "changed"))["kind"] != "host":
            pass
        await asyncio.to_thread(stack.do, "order", host, "host.refresh", {})
        states = [(await until(socket, "order"))["state"] for _ in range(4)]
        assert states == ["queued", "sent", "running", "done"]


async def test_what_was_missed_is_told_and_another_ring_is_a_resync(
    stack: Stack, host: str, owner: dict[str, str]
) -> None:
    async with await open_socket(stack, "/ws/events", owner) as socket:
        seq = (await until(socket, "hello"))["seq"]
    stack.do("hint", "volume", "created", ["00000000-0000-0000-0000-000000000002"], host)
    async with await open_socket(stack, "/ws/events", owner) as socket:
        await until(socket, "hello")
        await say(socket, "subscribe", id="p", topics=["volumes"], since=seq)
        assert (await until(socket, "changed"))["ids"] == ["00000000-0000-0000-0000-000000000002"]
        await say(socket, "subscribe", id="p", topics=["volumes"], since=seq + 1_000_000)
        await until(socket, "resync")


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://other.example", "http://127.0.0.1.evil.com", "http://127.0.0.1:1", "https://127.0.0.1",
     "http://localhost"],
)  # fmt: skip
async def test_w1_another_origin_is_403(stack: Stack, owner: dict[str, str], origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await open_socket(stack, "/ws/events", owner, origin=origin)
    assert caught.value.response.status_code == 403


async def test_w1_a_token_needs_no_origin(stack: Stack, owner: dict[str, str]) -> None:
    async with await open_socket(stack, "/ws/events", owner, origin=None, bearer=True) as socket:
        await until(socket, "hello")


@pytest.mark.parametrize("path", ["/ws/events", "/ws/events?token=ls_abc"])
async def test_w2_nobody_is_4401(stack: Stack, path: str) -> None:
    assert await closing(await open_socket(stack, path)) == 4401


async def test_w2_an_ended_session_is_4401(stack: Stack) -> None:
    user = stack.do("user", "ended", "viewer")
    stack.do("expire_session", user["session"])
    assert await closing(await open_socket(stack, "/ws/events", user)) == 4401


async def test_w2_signing_out_closes_sockets(stack: Stack) -> None:
    user = stack.do("user", "leaver", "viewer")
    async with await open_socket(stack, "/ws/events", user) as socket:
        await until(socket, "hello")
        stack.do("sign_out", user["session"])
        assert await closing(socket, 5) == 4401


async def test_w2_signing_out_by_the_api_closes_sockets(stack: Stack) -> None:
    user = stack.do("user", "leaver-2", "viewer")
    page = requests.Session()
    page.cookies.set("sessionid", user["session"])
    path = f"{stack.url}/api/auth/browser/v1/auth/session"
    assert (await asyncio.to_thread(page.get, path)).status_code == 200
    async with await open_socket(stack, "/ws/events", user) as socket:
        await until(socket, "hello")
        headers = {"X-CSRFToken": page.cookies.get("csrftoken") or "", "Referer": stack.url}
        gone = await asyncio.to_thread(page.delete, path, headers=headers)
        assert gone.status_code == 401, gone.text
        assert await closing(socket, 5) == 4401


async def test_w2_a_right_taken_away_closes_the_log(stack: Stack, host: str) -> None:
    user = stack.do("user", "demoted", "viewer")
    container = stack.do("container", host, "e" * 64)
    async with await open_socket(stack, f"/ws/containers/{container}/logs", user) as socket:
        stack.do("take_rights", user["id"])
        assert await closing(socket, 8) in {4403, 4404}


async def test_w2_anothers_container_does_not_exist(stack: Stack, host: str, name: str) -> None:
    stack.do("forget_attempts")
    stack.do("join", name)
    user = stack.do("user", f"u-{name}", "owner")
    stack.do("give_rights_on", user["id"], name)
    container = stack.do("container", host, "d" * 64)
    for path in (f"/ws/containers/{container}/logs", f"/ws/containers/{container}/stats", "/ws/containers/x/logs"):
        assert await closing(await open_socket(stack, path, user)) == 4404


async def test_w2_a_viewer_gets_no_shell(stack: Stack, host: str) -> None:
    user = stack.do("user", "looker", "viewer")
    container = stack.do("container", host, "c" * 64)
    assert await closing(await open_socket(stack, f"/ws/containers/{container}/exec?exec={'a' * 64}", user)) == 4403


async def test_unknown_paths_and_parameters(stack: Stack, owner: dict[str, str]) -> None:
    assert await closing(await open_socket(stack, "/ws/nothing", owner)) == 4404
    assert await closing(await open_socket(stack, "/ws/events?a=1", owner)) == 4400


async def test_an_offline_host_is_4503(stack: Stack, name: str, owner: dict[str, str]) -> None:
    stack.do("forget_attempts")
    stack.enrol(name)
    container = stack.do("container", name, "b" * 64)
    socket = await open_socket(stack, f"/ws/containers/{container}/logs", owner)
    assert (await until(socket, "problem"))["code"] == "host_offline"
    assert await closing(socket) == 4503


@pytest.mark.parametrize(
    ("frame", "codes"),
    [
        ("x" * (65 * 1024), {1009}),
        ("x" * (10 << 20), {1009}),
        ("{", {4400}),
        ("[]", {4400}),
        ('{"type":"dance"}', {4400}),
        (b"bytes", {4400}),
        ('{"type":"subscribe","topics":"x"}', {4400}),
        ('{"type":"subscribe","topics":["x"]}', {4400}),
        ('{"type":"subscribe","id":"a","since":"x"}', {4400}),
    ],
)
async def test_w4_a_bad_frame_ends_the_socket(
    stack: Stack, owner: dict[str, str], frame: str | bytes, codes: set[int]
) -> None:
    socket = await open_socket(stack, "/ws/events", owner)
    with contextlib.suppress(ConnectionClosed):
        await socket.send(frame)
    assert await closing(socket, 2) in codes


async def raw(stack: Stack, owner: dict[str, str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    writer.write(
        f"GET /ws/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: {stack.url}\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Extensions: permessage-deflate\r\nCookie: sessionid={owner['session']}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head
    assert b"permessage-deflate" not in head
    return reader, writer


async def close_code(reader: asyncio.StreamReader) -> int:
    """The code of the close frame that the server sends."""
    async with asyncio.timeout(20):
        while True:
            first, second = await reader.readexactly(2)
            length = second & 127
            if length == 126:
                length = struct.unpack("!H", await reader.readexactly(2))[0]
            data = await reader.readexactly(length)
            if first & 15 == 8:
                return int(struct.unpack("!H", data[:2])[0])


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    whole = bytearray(Frame(opcode, data, fin=fin).serialize(mask=True))
    whole[0] |= 0x40 if rsv1 else 0
    return bytes(whole)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(Opcode.TEXT, b"\xff\xfe")], 1007),
        ([frame(Opcode.TEXT, b'{"a', fin=False)], 1008),
        ([frame(Opcode.PING, b"x")] * 10_000, 1008),
        ([frame(Opcode.TEXT, b"\x78\x9c", rsv1=True)], 1002),
        ([frame(Opcode.TEXT, b"x" * 60_000, fin=False)] + [frame(Opcode.CONT, b"x" * 60_000, fin=False)] * 40, 1009),
    ],
)
async def test_w4_a_broken_wire_ends_the_socket(
    stack: Stack, owner: dict[str, str], frames: list[bytes], code: int
) -> None:
    reader, writer = await raw(stack, owner)
    writer.writelines(frames)
    assert await close_code(reader) == code
    writer.close()


async def test_w4_twenty_sockets_a_user(stack: Stack) -> None:
    user = stack.do("user", "greedy", "viewer")
    open_ = [await open_socket(stack, "/ws/events", user) for _ in range(20)]
    for socket in open_:
        await until(socket, "hello")
    assert await closing(await open_socket(stack, "/ws/events", user)) == 1008
    await open_[0].close()
    await asyncio.sleep(0.2)
    async with await open_socket(stack, "/ws/events", user) as again:
        await until(again, "hello")
    for socket in open_[1:]:
        await socket.close()


async def test_an_orders_lines_and_end(stack: Stack, host: str, owner: dict[str, str]) -> None:
    order = await asyncio.to_thread(stack.do, "order", host, "image.pull", {"reference": "127.0.0.1:1/nothing:1"})
    async with await open_socket(stack, f"/ws/orders/{order}", owner) as socket:
        end = await until(socket, "end", 20)
        assert end["state"] == "failed"
        assert "connection refused" in end["problem"]["detail"]
    assert json.dumps(end)


# path -> anonymous, disabled user, no right at all, viewer, owner; None: stays open or ends for a reason of its own
RIGHTS = {
    "/ws/events": (4401, 4401, None, None, None),
    "/ws/containers/{container}/logs": (4401, 4401, 4404, 4503, 4503),
    "/ws/containers/{container}/stats": (4401, 4401, 4404, 4503, 4503),
    "/ws/containers/{container}/exec?exec=aa": (4401, 4401, 4404, 4403, 4503),
    "/ws/containers/{container}/attach": (4401, 4401, 4404, 4503, 4503),
    "/ws/containers/{container}/attach?stdin=1": (4401, 4401, 4404, 4403, 4503),
    "/ws/hosts/{host}/stats": (4401, 4401, 4404, None, None),
    "/ws/orders/{order}": (4401, 4401, 4404, None, None),
}


async def test_every_socket_asks_for_its_right(stack: Stack, name: str) -> None:
    stack.do("forget_attempts")
    stack.enrol(name)
    stack.do("set_host", name, state="offline")
    ids = {"container": stack.do("container", name, "9" * 64), "host": stack.do("host", name)["id"],
           "order": stack.do("order", name, "host.refresh", {})}  # fmt: skip
    disabled, nobody = stack.do("user", f"d-{name}", "owner"), stack.do("user", f"n-{name}", "viewer")
    stack.do("disable", disabled["id"])
    stack.do("take_rights", nobody["id"])
    actors = [None, disabled, nobody, stack.do("user", f"v-{name}", "viewer"), stack.do("user", f"o-{name}", "owner")]
    for path, wanted in RIGHTS.items():
        for actor, code in zip(actors, wanted, strict=True):
            for bearer in (False, True) if actor else (False,):
                socket = await open_socket(stack, path.format(**ids), actor, bearer=bearer)
                if code is not None:
                    assert await closing(socket, 8) == code, (path, actor)
                else:
                    await socket.close()


def test_no_socket_is_missing_from_the_table() -> None:
    known = {path.split("?")[0].replace("{container}", "{id}").replace("{host}", "{id}").replace("{order}", "{id}")
             for path in RIGHTS}  # fmt: skip
    assert {route.path for route in ROUTES} == known
