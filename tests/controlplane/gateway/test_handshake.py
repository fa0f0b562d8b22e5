"""The agents' door: whatever a stranger says, it is refused and nothing breaks."""

import json
import uuid
from typing import Any

import pytest

from controlplane.gateway.agents import UNKNOWN, AgentLinks

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
