"""Build contexts on this host: each order has its own file, whole and checked."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest

from agent.link.connection import Link
from agent.link.docker import EngineError
from agent.link.keys import load_or_make
from agent.link.settings import Identity, settings_for
from agent.protocol.mux import StreamClosed

DATA = [b"a" * 1000, b"b" * 1000]
DIGEST = hashlib.sha256(b"".join(DATA)).hexdigest()


class FakeSession:
    """Streams of an archive; the first ones break off after their first piece."""

    def __init__(self, broken: int = 0) -> None:
        self.broken = broken
        self.opened = 0

    async def open(self, target: str, head: dict[str, Any]) -> Self:
        self.opened += 1
        if self.opened <= self.broken:
            raise StreamClosed("link_lost", "gone")
        return self

    async def accepted(self) -> None: ...

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in DATA:
            yield chunk
            await asyncio.sleep(0.02)

    async def end(self) -> None: ...


@pytest.fixture
def link(tmp_path: Path) -> Link:
    settings = settings_for(tmp_path, "unix:///nowhere")
    made = Link(settings, Identity("https://x", "h", {}), load_or_make(settings))
    made._session = FakeSession()  # type: ignore[assignment]
    return made


async def test_two_orders_of_one_context_do_not_share_a_file(link: Link, tmp_path: Path) -> None:
    first, second = await asyncio.gather(link._blob(DIGEST), link._blob(f"sha256:{DIGEST}"))
    first.unlink()
    assert second.read_bytes() == b"".join(DATA)
    assert [path.name for path in (tmp_path / "contexts").iterdir()] == [second.name]


async def test_a_link_that_breaks_is_waited_for(link: Link) -> None:
    link._session = FakeSession(broken=1)  # type: ignore[assignment]
    assert (await link._blob(DIGEST)).read_bytes() == b"".join(DATA)


async def test_another_archive_is_refused_and_leaves_nothing(link: Link, tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        await link._blob("0" * 64)
    assert not list((tmp_path / "contexts").iterdir())
