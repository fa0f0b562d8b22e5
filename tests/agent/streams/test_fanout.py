"""A slow viewer loses its own bytes and nobody waits for it."""

import asyncio

import pytest

from agent.streams.fanout import Fanout, Overflow


async def test_every_viewer_reads_everything() -> None:
    fanout = Fanout()
    one, two = fanout.join(), fanout.join()
    fanout.offer(b"a")
    fanout.offer(b"b")
    assert (await one.read(), await two.read()) == (b"ab", b"ab")
    waiting = asyncio.create_task(one.read())
    await asyncio.sleep(0)
    fanout.offer(b"c")
    assert await waiting == b"c"
    fanout.close()
    assert (await one.read(), await two.read(), await two.read()) == (b"", b"c", b"")


async def test_a_viewer_that_does_not_read_is_told_after_what_it_had() -> None:
    fanout = Fanout()
    slow, quick = fanout.join(limit=10), fanout.join()
    for _ in range(100):
        fanout.offer(b"12345")
        assert await quick.read() == b"12345"
    assert await slow.read() == b"1234512345"
    with pytest.raises(Overflow):
        await slow.read()
    fanout.leave(slow)
    assert fanout.viewers == {quick}
