"""The agents' door: whatever a stranger says, it is refused and nothing breaks."""

import asyncio
import base64
import json
import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from agent.protocol.frames import Kind, decode
from agent.protocol.versions import PROTOCOL, agent_statement
from controlplane.gateway.agents import UNKNOWN, AgentLinks
from controlplane.gateway.hub import HUB
from controlplane.hosts import presence
from controlplane.hosts.models import Host, HostState

pytestmark = pytest.mark.django_db(transaction=True)

GOOD: dict[str, Any] = {"host_id": str(uuid.UUID(int=1)), "boot_id": "b", "protocol": 1, "sig": "AA=="}


async def refused(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent to one who says these."""

    async def never(*_: Any) -> None:
        raise AssertionError("a stranger got in")

    heard = [{"type": "websocket.connect"}, *messages, {"type": "websocket.disconnect"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return heard.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    links = AgentLinks(never, never)
    await links({"type": "websocket", "headers": [], "client": ("192.0.2.1", 1)}, receive, send)
    assert links._strangers == 0
    return sent


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{", "[" * 100_000, json.dumps({}), json.dumps(GOOD), json.dumps(GOOD | {"host_id": 5}),
        json.dumps(GOOD | {"sig": "é"}), json.dumps(GOOD | {"sig": None}), json.dumps(GOOD | {"protocol": []}),
        json.dumps(GOOD).replace("1,", "1e999,"), json.dumps(GOOD | {"capabilities": 5}),
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_refused(text: str) -> None:
    sent = await refused({"type": "websocket.receive", "text": text})
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", UNKNOWN)


async def test_bytes_and_silence_are_refused() -> None:
    for messages in ([{"type": "websocket.receive", "bytes": b"{}"}], []):
        assert (await refused(*messages))[-1]["code"] == UNKNOWN


async def test_what_is_asked_of_a_host_while_it_connects_comes_after_the_hello(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads that a host is online finds its connection; the agent takes the hello first, and nothing before it."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    host = await Host.objects.acreate(name="web-1", state=HostState.OFFLINE, public_key=public)
    loop, sent, connect = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]](), presence.host_connected
    opening: list[Any] = []

    def connected(*args: Any, **facts: Any) -> int | None:
        epoch = connect(*args, **facts)
        held = HUB.get(host.pk)
        assert held is not None
        opening.append(asyncio.run_coroutine_threadsafe(held.session.open("engine", {}), loop))
        opening.append(asyncio.run_coroutine_threadsafe(HUB.tell(host.pk, "told"), loop))
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), loop).result(10)
        return epoch

    monkeypatch.setattr(presence, "host_connected", connected)
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    said.put_nowait({"type": "websocket.connect"})

    async def handle(*_: Any) -> None: ...

    scope = {"type": "websocket", "headers": [], "client": ("192.0.2.1", 1)}
    serving = asyncio.create_task(AgentLinks(handle, handle)(scope, said.get, sent.put))
    async with asyncio.timeout(20):
        assert (await sent.get())["type"] == "websocket.accept"
        greeting = json.loads((await sent.get())["text"])
        nonce, spki = greeting["nonce"], greeting["spki"]
        proof = key.sign(agent_statement(str(host.pk), settings.LONGSHORE_URL, spki, nonce, "b"))
        answer = GOOD | {"host_id": str(host.pk), "protocol": PROTOCOL, "sig": base64.b64encode(proof).decode()}
        said.put_nowait({"type": "websocket.receive", "text": json.dumps(answer)})
        assert json.loads((await sent.get())["text"])["type"] == "hello"
        after = [await sent.get(), await sent.get()]
        assert [decode(one["bytes"]).kind for one in after if "bytes" in one] == [Kind.OPEN]
        assert [one["text"] for one in after if "text" in one] == ["told"]
        said.put_nowait({"type": "websocket.disconnect"})
        await serving
    assert all(one.done() for one in opening)
    assert HUB.get(host.pk) is None
    assert (await Host.objects.aget()).state == HostState.OFFLINE
