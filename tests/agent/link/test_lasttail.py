"""A container's last lines, also of one that has ended before anybody could look."""

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any

from agent.link.docker import EngineError
from agent.link.lasttail import LastTails

ID = "e" * 64
TEXT = b"2026-01-02T03:04:05Z last words\n"


class Log:
    status = 200

    async def chunks(self) -> AsyncIterator[bytes]:
        yield struct.pack(">BxxxI", 1, len(TEXT)) + TEXT

    def close(self) -> None: ...


class Engine:
    """One container; `slow` holds the first look at it up."""

    def __init__(self, *, removes_itself: bool = False) -> None:
        self.removes_itself = removes_itself
        self.slow = asyncio.Event()
        self.looks = 0
        self.gone = False

    async def call(self, method: str, path: str, **_: Any) -> Any:
        self.looks += 1
        if self.looks == 1:
            await self.slow.wait()
        if self.gone:
            raise EngineError(404, "No such container")
        return {"State": {}, "HostConfig": {"AutoRemove": self.removes_itself}, "Config": {"Tty": False}}

    async def open(self, method: str, path: str, **_: Any) -> Log:
        return Log()


async def last_lines(engine: Engine) -> list[Any]:
    """Of a container that started and ended before the first look at it was answered."""
    tails = LastTails(engine)  # type: ignore[arg-type]
    tails.seen({"Type": "container", "Action": "start", "Actor": {"ID": ID}})
    await asyncio.sleep(0)
    asking = asyncio.create_task(tails.exit_of(ID, {"exitCode": "3"}))
    await asyncio.sleep(0.01)
    engine.slow.set()
    facts = await asking
    assert facts["code"] == 3
    assert tails._followed == {}
    return [line[2] for line in facts["log_tail"]]


async def test_one_that_ends_at_once_keeps_its_last_lines() -> None:
    assert await last_lines(Engine()) == ["last words"]
    assert await last_lines(Engine(removes_itself=True)) == ["last words"]


async def test_one_that_is_gone_has_none() -> None:
    engine = Engine(removes_itself=True)
    engine.gone = True
    assert await last_lines(engine) == []
