"""`Prefer: wait`: the answer is held on the loop until the order's end is told."""

import asyncio
import json
from typing import Any
from unittest.mock import patch

import pytest

from controlplane.orders.wait import PreferWait, seconds_of

ORDER = "0199d0c2-0000-7000-8000-000000000001"


class App:
    """Stands for Django: answers 202 to a POST, and the order as it is to a GET."""

    def __init__(self, **first: Any) -> None:
        self.order: dict[str, Any] = {"id": ORDER, "state": "queued", "waiting_for": None, "problem": None, **first}
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.asked.append(scope)
        status = 202 if scope["method"] == "POST" else 200
        headers = [(b"Location", f"/api/orders/{ORDER}/".encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers if status == 202 else []})
        await send({"type": "http.response.body", "body": json.dumps(self.order).encode()})


async def ask(app: App, wait: PreferWait, prefer: str) -> tuple[int, dict[str, str], Any]:
    scope = {
        "type": "http", "method": "POST", "path": "/api/containers/", "raw_path": b"", "query_string": b"x=1",
        "headers": [(b"prefer", prefer.encode()), (b"authorization", b"Bearer t"), (b"idempotency-key", b"k")],
    }  # fmt: skip
    got: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        got.append(message)

    await wait(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in got[0]["headers"]}
    return got[0]["status"], headers, json.loads(got[1]["body"])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ends are told by the test instead of Redis."""
    ends: list[Any] = []

    async def ready(self: Any) -> None:
        ends.append(self)

    monkeypatch.setattr("controlplane.orders.wait.Ends.ready", ready)

    def tell(app: App, state: str, **more: Any) -> None:
        app.order.update(state=state, **more)
        ends[0]._heard(json.dumps({"type": "order", "id": ORDER, "state": state}).encode())

    return tell


@pytest.mark.parametrize(
    ("header", "seconds"), [("wait=5", 5), ("respond-async, wait=60", 60), ("", 0), ("await=3", 0)]
)
def test_the_header(header: str, seconds: int) -> None:
    assert seconds_of(header) == seconds


async def test_done_in_time(told: Any) -> None:
    app = App()
    wait = PreferWait(app)
    asking = asyncio.create_task(ask(app, wait, "wait=5"))
    await asyncio.sleep(0.05)
    told(app, "done", result={"engine_id": "x"})
    status, headers, body = await asking
    assert (status, headers["preference-applied"], body["result"]) == (200, "wait=5", {"engine_id": "x"})
    again = app.asked[1]
    assert (again["method"], again["path"], again["query_string"]) == ("GET", f"/api/orders/{ORDER}/", b"")
    assert dict(again["headers"]) == {b"authorization": b"Bearer t"}


@pytest.mark.parametrize(
    ("state", "problem", "status"),
    [
        ("failed", {"code": "not_found", "status": 404, "detail": "No such image"}, 404),
        ("failed", {"code": "conflict", "status": 409, "detail": "name taken"}, 409),
        ("failed", {"code": "conflict", "status": 403, "detail": "network has active endpoints"}, 409),
        ("failed", {"code": "policy", "status": 403, "detail": "this host allows no exec"}, 403),
        ("failed", {"code": "engine", "status": 500, "detail": "broke"}, 502),
        ("failed", {"code": "outcome_unknown", "status": 0, "detail": "?"}, 502),
        ("expired", None, 503),
        ("cancelled", None, 409),
    ],
)
async def test_ended_badly(told: Any, state: str, problem: Any, status: int) -> None:
    app = App()
    asking = asyncio.create_task(ask(app, PreferWait(app), "wait=5"))
    await asyncio.sleep(0.05)
    told(app, state, problem=problem)
    got, headers, body = await asking
    assert (got, headers["content-type"]) == (status, "application/problem+json")
    assert body["order"]["id"] == ORDER
    assert body["code"] == (problem or {"code": state})["code"]


async def test_an_offline_host_and_a_time_out_answer_202(told: Any) -> None:
    app = App(waiting_for="host")
    assert (await ask(app, PreferWait(app), "wait=5"))[0] == 202
    slow = App()
    with patch("controlplane.orders.wait.LONGEST", 1):
        status, _, body = await ask(slow, PreferWait(slow), "wait=60")
    assert (status, body["state"]) == (202, "queued")


async def test_past_two_hundred_nobody_waits(told: Any) -> None:
    app = App()
    wait = PreferWait(app)
    wait._now = 200
    assert (await asyncio.wait_for(ask(app, wait, "wait=5"), 1))[0] == 202
