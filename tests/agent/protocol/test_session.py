"""Streams with await: order, credit, endings, over a wire in memory."""

import asyncio
from typing import Any

import pytest

from agent.protocol.mux import WINDOW, Side, StreamClosed
from agent.protocol.session import Session, Stream


class Ends:
    """Two sessions joined by queues; the agent's side echoes, or does what `serve` says."""

    def __init__(self, serve: Any) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.serve = serve
        self.control = Session(Side.CONTROL, self.to_agent, self.never)
        self.agent = Session(Side.AGENT, self.to_control, self.opened)

    async def to_agent(self, message: bytes) -> None:
        await asyncio.sleep(0)
        self.agent.feed(message)

    async def to_control(self, message: bytes) -> None:
        await asyncio.sleep(0)
        self.control.feed(message)

    def never(self, stream: Stream, target: str, head: dict[str, Any]) -> None:
        raise AssertionError

    def opened(self, stream: Stream, target: str, head: dict[str, Any]) -> None:
        task = asyncio.create_task(self.serve(stream, target, head))
        self.tasks.add(task)


async def echo(stream: Stream, target: str, head: dict[str, Any]) -> None:
    await stream.accept({"status": 200, **head})
    async for chunk in stream:
        await stream.write(chunk)
    await stream.end()


async def test_it_works() -> None:
    ends = Ends(echo)
    stream = await ends.control.open("engine", {"path": "/x"})
    assert await stream.accepted() == {"status": 200, "path": "/x"}
    payload = bytes(range(256)) * 8192

    async def send() -> None:
        await stream.write(payload)
        await stream.end()

    task = asyncio.create_task(send())
    received = b"".join([chunk async for chunk in stream])
    await task
    assert received == payload
    assert ends.control._streams == ends.agent._streams == {}


async def test_a_reader_that_stops_holds_up_its_own_stream_only() -> None:
    ends = Ends(echo)
    slow = await ends.control.open("engine", {})
    stuck = asyncio.create_task(slow.write(b"x" * WINDOW * 4))
    quick = await ends.control.open("engine", {})
    await quick.write(b"ping")
    assert await asyncio.wait_for(quick.read(), 2) == b"ping"
    assert not stuck.done()
    stuck.cancel()


async def test_a_refusal_is_an_exception_with_its_code() -> None:
    async def refuse(stream: Stream, target: str, head: dict[str, Any]) -> None:
        await stream.reset("denied", "no exec here")

    stream = await Ends(refuse).control.open("engine", {})
    with pytest.raises(StreamClosed, match="no exec here") as caught:
        await stream.accepted()
    assert caught.value.code == "denied"


async def test_a_lost_link_ends_every_wait() -> None:
    async def silent(stream: Stream, target: str, head: dict[str, Any]) -> None:
        await stream.accept({})

    ends = Ends(silent)
    stream = await ends.control.open("engine", {})
    await stream.accepted()
    reader = asyncio.create_task(stream.read())
    writer = asyncio.create_task(stream.write(b"x" * WINDOW * 2))
    await asyncio.sleep(0.05)
    ends.control.close()
    for task in (reader, writer):
        with pytest.raises(StreamClosed, match="lost"):
            await asyncio.wait_for(task, 20)
    with pytest.raises(StreamClosed):
        await ends.control.open("engine", {})


async def test_a_cancelled_caller_loses_no_frame() -> None:
    """The mux has counted a frame once it is made: the wire must see it, or both ends disagree from then on."""
    got = bytearray()

    async def collect(stream: Stream, target: str, head: dict[str, Any]) -> None:
        await stream.accept({})
        async for chunk in stream:
            got.extend(chunk)
        await stream.end()

    ends = Ends(collect)
    gate = asyncio.Event()
    gate.set()
    wire = ends.control._send

    async def held(message: bytes) -> None:
        await gate.wait()
        await wire(message)

    ends.control._send = held
    stream = await ends.control.open("engine", {})
    await stream.accepted()
    gate.clear()
    write = asyncio.create_task(stream.write(b"a whole frame"))
    opening = asyncio.create_task(ends.control.open("engine", {}))
    await asyncio.sleep(0.01)
    write.cancel()
    opening.cancel()
    await asyncio.gather(write, opening, return_exceptions=True)
    gate.set()
    await stream.end()
    assert await stream.read() == b""
    assert bytes(got) == b"a whole frame"
    assert ends.control._streams == ends.agent._streams == {}
    assert (await ends.control.open("engine", {})).ident
