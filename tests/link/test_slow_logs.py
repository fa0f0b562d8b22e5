"""W3: fifty pages that take 1 KiB a second of a log that grows by 10 MB a second, and what they cost everybody else."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from tests.link.browser import open_socket, say
from tests.link.stack import Stack, wait_for
from tests.link.test_orders import docker

SLOW: Final = 50
USERS: Final = 3
QUICK_SECONDS: Final = 3
SLOW_SECONDS: Final = 10
A_PAGE: Final = int(1.5 * (1 << 20))
SCRIPT: Final = """BEGIN {
    pad = sprintf("%0990d", 0)
    while (1) { for (n = 0; n < 1000; n++) print ++i, pad; fflush(); system("usleep 90000") }
}"""
"""Every line has a number of its own, so that what is missing can be counted."""


class Page:
    """What a page is told."""

    def __init__(self) -> None:
        self.told = self.missing = 0
        self.last = 0

    def take(self, text: str) -> int:
        """Take a message; how many lines it has."""
        message = json.loads(text)
        if message["type"] == "dropped":
            self.told += message["lines"]
        if message["type"] != "lines":
            return 0
        for _, _, line in message["lines"]:
            number = int(line.partition(" ")[0])
            self.missing += number - self.last - 1 if self.last else 0
            self.last = number
        return int(message["n"])

    async def run(self, stack: Stack, path: str, user: dict[str, str]) -> None:
        """Take all that comes."""
        async with await open_socket(stack, path, user) as page:
            async for text in page:
                await say(page, "ack", n=self.take(str(text)))


class ThinPage(Page):
    """A page behind a thin wire, until it is widened: 1 KiB of bytes a second."""

    thin = True

    async def run(self, stack: Stack, path: str, user: dict[str, str]) -> None:
        """Acknowledge what could be read."""
        address = urlsplit(stack.url)
        loop = asyncio.get_running_loop()
        talk = ClientProtocol(parse_uri(stack.url.replace("http", "ws") + path), max_size=None)
        request = talk.connect()
        request.headers["Cookie"] = f"sessionid={user['session']}"
        request.headers["Origin"] = stack.url
        talk.send_request(request)
        with socket.socket() as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.setblocking(False)
            await loop.sock_connect(wire, (address.hostname, address.port))
            while True:
                for data in talk.data_to_send():
                    await loop.sock_sendall(wire, data)
                if self.thin:
                    await asyncio.sleep(1)
                talk.receive_data(await loop.sock_recv(wire, 1024 if self.thin else 65536))
                for event in talk.events_received():
                    if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                        n = self.take(bytes(event.data).decode())
                        talk.send_text(json.dumps({"type": "ack", "n": n}).encode())


@pytest.fixture
def chatter(own: Stack, own_engine: str, name: str) -> Iterator[str]:
    """A container that writes 10 MB a second; its record's id."""
    docker(own_engine, "run", "-d", "--name", name, "lnk-busybox:1", "awk", SCRIPT)
    yield wait_for(lambda: [one for one in own.do("containers", "h") if one["name"] == name], 30)[0]["id"]
    docker(own_engine, "rm", "-f", name)


def rss(stack: Stack) -> int:
    """Bytes that the web process has in memory."""
    return int(Path(f"/proc/{stack.web.pid}/statm").read_text().split()[1]) * 4096


def written(engine: str, name: str) -> int:
    """The number of the last line that the container wrote."""
    return int(docker(engine, "logs", "--tail", "1", name).partition(" ")[0] or 0)


async def test_w3_fifty_slow_readers_of_a_fast_log_cost_nobody_else_anything(
    own: Stack, own_engine: str, chatter: str, name: str
) -> None:
    path = f"/ws/containers/{chatter}/logs?tail=0"
    users = [own.do("user", f"page-{n}", "owner") for n in range(USERS + 1)]
    quick, slow = Page(), [ThinPage() for _ in range(SLOW)]
    tasks = [asyncio.create_task(quick.run(own, path, users[-1]))]
    try:
        await seen(lambda: quick.last, 20)
        alone = await pace(quick, own_engine, name, QUICK_SECONDS)
        before = rss(own)
        tasks += [asyncio.create_task(one.run(own, path, users[n % USERS])) for n, one in enumerate(slow)]
        beside = await pace(quick, own_engine, name, SLOW_SECONDS)
        assert (rss(own) - before) / SLOW < A_PAGE
        # the container writes, and its quick viewer reads, as if there were nobody else
        assert min(beside) > min(alone) / 2, (alone, beside)
        assert quick.missing == quick.told

        for one in slow:
            one.thin = False
        # each of them is told, and neither a line more nor a line less than it misses
        await seen(lambda: all(one.told == one.missing > 0 for one in slow), 20)
        assert not [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def pace(page: Page, engine: str, name: str, seconds: float) -> tuple[float, float]:
    """How many lines a second the container writes and the page reads."""
    loop = asyncio.get_running_loop()
    began, read, wrote = loop.time(), page.last, await asyncio.to_thread(written, engine, name)
    await asyncio.sleep(seconds)
    wrote = await asyncio.to_thread(written, engine, name) - wrote
    took = loop.time() - began
    return wrote / took, (page.last - read) / took


async def seen(what: Callable[[], Any], seconds: float) -> None:
    await asyncio.to_thread(wait_for, what, seconds)
