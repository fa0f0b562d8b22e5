"""The doorbell: quick, needless, and a door to nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from agent.protocol.session import Stream
from controlplane.gateway.bell import _has_no_password
from tests.link.rogue import Rogue
from tests.link.stack import Stack, wait_for


@pytest.fixture
async def bell(stack: Stack, name: str) -> AsyncIterator[tuple[Stream, Rogue]]:
    """A bell's raw bytes in the test's hands."""
    stack.do("forget_attempts")
    await asyncio.to_thread(stack.enrol, name)
    async with Rogue(stack.state(name)) as rogue:
        stream = await rogue.session.open("bell", {})
        await asyncio.wait_for(stream.accepted(), 30)
        yield stream, rogue


async def ask(stream: Stream, *words: str) -> str:
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    await stream.write("".join(parts).encode())
    return (await asyncio.wait_for(stream.read(), 5)).decode()


def test_it_works_by_the_bell_alone(stack: Stack, host: str) -> None:
    """Far quicker than the next heartbeat could be, several times in a row."""
    for _ in range(3):
        began = time.monotonic()
        [done] = stack.ended(stack.do("order", host, "host.refresh", {}))
        assert done["state"] == "done"
        assert time.monotonic() - began < 8.0


def test_an_order_arrives_with_the_bell_cut(stack: Stack, host: str) -> None:
    order = stack.do("order", host, "host.refresh", {}, ring=False)
    [done] = stack.ended(order, seconds=20)
    assert done["state"] == "done"


def test_an_order_that_nobody_fetched_is_rung_again(stack: Stack, host: str) -> None:
    order = stack.do("order", host, "host.refresh", {}, ring=False)
    time.sleep(2.1)
    stack.do("run_task", "orders.ring_unacknowledged")
    [done] = stack.ended(order, seconds=5)
    assert (done["state"], done["rings"]) in {("done", 1), ("done", 0)}


def test_a_queued_order_expires_here(stack: Stack, name: str) -> None:
    stack.do("forget_attempts")
    stack.enrol(name)
    stack.do("set_host", name, state="offline")
    order = stack.do("order", name, "host.refresh", {})
    stack.do("age", order, 1)
    stack.do("run_task", "orders.expire")
    assert stack.do("orders", [order])[0]["state"] == "expired"


async def test_the_hosts_user_can_do_nothing_but_its_own_queue(
    stack: Stack, host: str, bell: tuple[Stream, Rogue]
) -> None:
    stream, rogue = bell
    own, other = f"agent:{rogue.identity.host_id}:q", f"agent:{stack.do('host', host)['id']}:q"
    assert await ask(stream, "PING") == "+PONG\r\n"
    assert await ask(stream, "LLEN", own) == ":0\r\n"
    refused = [
        ("LLEN", other), ("BRPOP", other, "1"), ("LPUSH", own, "x"), ("LPUSH", other, "x"), ("GET", "x"), ("KEYS", "*"),
        ("SCAN", "0"), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("ACL", "WHOAMI"), ("CLIENT", "LIST"), ("INFO",),
        ("SUBSCRIBE", "longshore:bus"), ("PUBLISH", "longshore:bus", "x"), ("EVAL", "return 1", "0"), ("FLUSHALL",),
        ("SHUTDOWN",), ("DEBUG", "SLEEP", "1"), ("MONITOR",), ("SELECT", "1"), ("SADD", "_kombu.binding.x", "y"),
        ("LRANGE", own, "0", "-1"), ("MIGRATE", "h", "1", "k", "0", "1"), ("REPLICAOF", "h", "1"),
    ]  # fmt: skip
    for words in refused:
        answer = await ask(stream, *words)
        assert answer.startswith("-ERR DEBUG" if words[0] == "DEBUG" else "-NOPERM"), (words, answer)
    for words in (("AUTH", "default", ""), ("AUTH", "x"), ("HELLO", "3", "AUTH", "default", "x")):
        assert (await ask(stream, *words)).startswith(("-WRONGPASS", "-NOPERM", "-ERR")), words


async def test_a_reset_leads_nowhere(stack: Stack, bell: tuple[Stream, Rogue]) -> None:
    """RESET takes a connection back to the default user, who must have a password for that reason."""
    stream, _ = bell
    await ask(stream, "RESET")
    assert (await ask(stream, "GET", "x")).startswith("-NOAUTH")


async def test_a_bell_cannot_be_opened_without_end(stack: Stack, bell: tuple[Stream, Rogue]) -> None:
    _, rogue = bell
    codes = []
    for _ in range(6):
        stream = await rogue.session.open("bell", {})
        try:
            await asyncio.wait_for(stream.accepted(), 30)
        except Exception as error:
            codes.append(str(error))
    assert len(codes) == 3


def test_a_redis_without_a_password_is_known() -> None:
    assert _has_no_password({b"flags": [b"on", b"nopass"]})
    assert _has_no_password([b"flags", [b"on", b"nopass"], b"passwords", []])
    assert not _has_no_password({b"flags": [b"on"]})
    assert not _has_no_password({"flags": ["off", "nopass"]})


def test_orders_go_on_over_a_death_of_redis(stack: Stack, host: str) -> None:
    stack.redis.kill()
    order = stack.do("order", host, "host.refresh", {})
    [done] = stack.ended(order, seconds=25)
    assert done["state"] == "done"
    stack.redis_socket.unlink(missing_ok=True)
    stack.redis.start()
    wait_for(stack.redis_socket.exists)
    user = f"agent-{stack.do('host', host)['id']}"
    wait_for(lambda: user in stack.redis_cli("ACL", "LIST"), 40, "the bell did not come back")


def test_sigterm_is_quick(stack: Stack, host: str, engine: str) -> None:
    """A blocked BRPOP must not hold the link up."""
    seconds = stack.agents[host].stop()
    stack.link(host, engine)
    stack.online(host)
    assert seconds < 12.0
