"""Calls from views' threads into the loop that holds the connections."""

import asyncio

import pytest

from controlplane.common.errors import Unavailable
from controlplane.gateway.dial import from_thread
from controlplane.gateway.hub import HUB


async def test_a_call_that_is_not_answered_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HUB, "loop", asyncio.get_running_loop())
    given_up = asyncio.Event()

    async def silent() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            given_up.set()

    with pytest.raises(Unavailable) as caught:
        await asyncio.to_thread(from_thread, silent(), 0.05)
    assert caught.value.code == "host_timeout"
    await asyncio.wait_for(given_up.wait(), 20)


def test_without_a_connection_the_host_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HUB, "loop", None)

    async def never() -> None: ...

    with pytest.raises(Unavailable) as caught:
        from_thread(never(), 1)
    assert caught.value.code == "host_offline"
