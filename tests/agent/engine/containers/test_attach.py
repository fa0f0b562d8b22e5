"""Attaching: nothing lost from before the start on, both halves, detach keys, and clients that do not read."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.engine.containers.io import attach
from agent.engine.containers.io.attach import Attaching, AttachOptions
from agent.engine.containers.io.runs import Runs
from agent.engine.containers.logs.reader import Logs
from agent.engine.errors import Conflict, Invalid
from agent.engine.events import EventBus
from agent.engine.kernel.inotify import Watcher
from agent.engine.state.records import ContainerRecord, Status
from agent.streams import stdcopy

ID = "a" * 64
ALL = AttachOptions(stdin=True, stdout=True, stderr=True, stream=True)


class Client:
    """Types from a queue, keeps what it gets."""

    def __init__(self) -> None:
        self.typed: asyncio.Queue[bytes] = asyncio.Queue()
        self.received = b""

    async def read(self) -> bytes:
        return await self.typed.get()

    async def write(self, data: bytes) -> None:
        self.received += data

    def text(self) -> bytes:
        return b"".join(data for _, data in stdcopy.Reader().feed(self.received))


class Cast:
    """A container made of a log file, an event bus and a socket in conmon's place."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.events, self.watcher = EventBus(), Watcher()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.record = ContainerRecord(
            id=ID, name="a", created_ns=1, path="sh", args=(), config={"OpenStdin": True, "StdinOnce": True},
            host_config={}, image_id="", image_ref="busy", log_path=str(self.log),
        )  # fmt: skip
        runs = Runs(self.events, lambda _: self.record, self._wait)
        self.attaching = Attaching(Logs(self.watcher), runs, lambda _: directory / "attach")
        self.conmon = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.conmon.bind(str(directory / "attach"))
        self.conmon.listen()
        self.conmon.setblocking(False)

    async def _wait(self, _: str) -> None:
        await asyncio.shield(self.over)

    def start(self) -> None:
        self.record = self.record.with_state(status=Status.RUNNING)
        self.events.publish("container", "start", ID)

    def say(self, text: str, tag: str = "F") -> None:
        now = time.time_ns()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9))
        with self.log.open("a") as file:
            file.write(f"{stamp}.{now % 10**9:09d}+00:00 stdout {tag} {text}\n")

    def end(self) -> None:
        self.record = self.record.with_state(status=Status.EXITED)
        self.over.set_result(None)

    async def accept(self) -> socket.socket:
        link, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(self.conmon), 20)
        link.setblocking(False)
        return link

    async def hear(self, link: socket.socket) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(link, 9000), 20)


@pytest.fixture
async def cast(tmp_path: Path) -> AsyncIterator[Cast]:
    cast = Cast(tmp_path)
    yield cast
    cast.watcher.close()
    cast.conmon.close()


def serve(cast: Cast, client: Client, options: AttachOptions = ALL) -> "asyncio.Task[bool]":
    return asyncio.create_task(cast.attaching.serve(cast.record, options, client))


async def test_attached_before_the_start_nothing_is_lost(cast: Cast) -> None:
    client = Client()
    serving = serve(cast, client)
    await asyncio.sleep(0.02)
    cast.say("first")
    cast.start()
    cast.say("second")
    cast.say("last", tag="P")
    cast.end()
    assert await asyncio.wait_for(serving, 3) is False
    assert client.text() == b"first\nsecond\nlast"


async def test_only_what_comes_after_attaching_unless_logs_are_asked(cast: Cast) -> None:
    cast.start()
    cast.say("old")
    new, both = Client(), Client()
    tasks = [serve(cast, new), serve(cast, both, AttachOptions(stdout=True, logs=True, stream=True))]
    await asyncio.sleep(0.02)
    cast.say("new")
    await asyncio.sleep(0.05)
    cast.end()
    await asyncio.wait_for(asyncio.gather(*tasks), 20)
    assert (new.text(), both.text()) == (b"new\n", b"old\nnew\n")
    logs = Client()
    await asyncio.wait_for(serve(cast, logs, AttachOptions(stdout=True, logs=True)), 20)
    assert logs.text() == b"old\nnew\n"


async def test_trap_4_input_and_its_end_while_output_goes_on(cast: Cast) -> None:
    client = Client()
    serving = serve(cast, client)
    client.typed.put_nowait(b"typed before the start")
    cast.start()
    link = await cast.accept()
    assert await cast.hear(link) == b"typed before the start"
    client.typed.put_nowait(b"")
    assert await cast.hear(link) == b""
    cast.say("still here")
    await asyncio.sleep(0.05)
    assert not serving.done()
    cast.end()
    await asyncio.wait_for(serving, 20)
    assert client.text() == b"still here\n"
    link.close()


async def test_without_stdin_once_the_input_stays_open(cast: Cast) -> None:
    cast.record.config["StdinOnce"] = False
    cast.start()
    client = Client()
    serving = serve(cast, client)
    client.typed.put_nowait(b"one")
    client.typed.put_nowait(b"")
    link = await cast.accept()
    assert await cast.hear(link) == b"one"
    cast.end()
    await asyncio.wait_for(serving, 20)
    link.close()


async def test_much_input_is_cut_into_packets_and_waits_for_the_reader(cast: Cast) -> None:
    cast.start()
    client = Client()
    serving = serve(cast, client)
    data = bytes(range(256)) * 4000
    client.typed.put_nowait(data)
    link = await cast.accept()
    await asyncio.sleep(0.05)
    received = b""
    while len(received) < len(data):
        received += await cast.hear(link)
    assert received == data
    cast.end()
    await asyncio.wait_for(serving, 20)
    link.close()


async def test_conmon_s_own_output_is_always_read(cast: Cast) -> None:
    cast.start()
    serving = serve(cast, Client())
    link = await cast.accept()
    for _ in range(200):
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(link, b"\x02" + b"x" * 8191), 20)
    cast.end()
    await asyncio.wait_for(serving, 20)
    link.close()


async def test_detach_keys_on_a_terminal_only(cast: Cast) -> None:
    cast.record.config["Tty"] = True
    cast.start()
    client = Client()
    serving = serve(cast, client)
    client.typed.put_nowait(b"hi\x10")
    client.typed.put_nowait(b"\x11")
    assert await asyncio.wait_for(serving, 3) is True
    link = await cast.accept()
    assert await cast.hear(link) == b"hi"
    link.close()
    with pytest.raises(Invalid, match=r"Invalid detach keys \(nosuch\) provided"):
        attach.keys("nosuch")


async def test_a_client_that_leaves(cast: Cast) -> None:
    class Gone(Client):
        async def write(self, data: bytes) -> None:
            raise ConnectionResetError

    cast.start()
    serving = serve(cast, Gone(), AttachOptions(stdout=True, stream=True))
    await asyncio.sleep(0.02)
    cast.say("x")
    assert await asyncio.wait_for(serving, 3) is False


async def test_nothing_wanted_ends_at_once(cast: Cast) -> None:
    assert await asyncio.wait_for(serve(cast, Client(), AttachOptions()), 1) is False


async def test_what_cannot_be_attached_to(cast: Cast) -> None:
    with pytest.raises(Conflict, match="is paused, unpause the container before attach"):
        attach.check(cast.record.with_state(status=Status.PAUSED))
    with pytest.raises(Conflict, match="is restarting"):
        attach.check(cast.record.with_state(status=Status.RESTARTING))
    with pytest.raises(Conflict, match="is not running"):
        attach.resize(cast.record, cast.directory / "ctl", 1, 2)


async def test_many_clients_leave_nothing(cast: Cast) -> None:
    cast.start()
    before: Any = None
    for turn in range(60):
        client = Client()
        serving = serve(cast, client)
        (await cast.accept()).close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        if turn == 5:
            before = (len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks()))
    assert (len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())) == before
    assert not cast.events.subscribers
