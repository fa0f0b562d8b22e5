"""The runner: verified, once, in sequence, recognised after a crash. The engine is a table of answers."""

import asyncio
import base64
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.link import runner
from agent.link.docker import EngineDown, EngineError
from agent.link.keys import Trusted
from agent.link.orderbook import OrderBook, Outcome
from agent.link.orders import OPERATIONS
from agent.link.policy import Policy
from agent.link.runner import Runner
from agent.protocol.envelopes import Envelope, Refused, seal
from agent.protocol.versions import key_id

KEY = Ed25519PrivateKey.generate()
RAW = KEY.public_key().public_bytes_raw()


class FakeEngine:
    """Remembers calls; answers from a list of (method and path, answer)."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers: dict[str, Any] = {}

    async def call(self, method: str, path: str, **_: Any) -> Any:
        key = f"{method} {path}"
        self.calls.append(key)
        answer = self.answers.get(key)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if isinstance(answer, Exception):
            raise answer
        return answer


class Said:
    """What the runner reports."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, Outcome]] = []
        self.refusals: list[Refused] = []
        self.asked = 0

    def taken(self, order_id: str) -> None: ...
    def running(self, order_id: str, begun_at: int) -> None: ...
    def lines(self, order_id: str, lines: list[dict[str, Any]], progress: dict[str, Any]) -> None: ...
    def ended(self, order_id: str, outcome: Outcome) -> None:
        self.ends.append((order_id, outcome))

    def refused(self, refusal: Refused) -> None:
        self.refusals.append(refusal)

    def ask_orders(self) -> None:
        self.asked += 1

    def ask_inventory(self) -> None: ...


class Bench:
    """A runner and what is around it; `crash()` is a new process on the same book."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path
        self.now = 100.0
        self.engine, self.said = FakeEngine(), Said()
        self.book = OrderBook(tmp_path / "orders.sqlite3")
        self.runner = self.make()

    def make(self) -> Runner:
        async def blobs(digest: str) -> Path:
            raise EngineError(404, "gone")

        return Runner(
            host_id="h", book=self.book, engine=self.engine, policy=Policy(self.path / "policy.toml"),  # type: ignore[arg-type]
            verify=Trusted({key_id(RAW): RAW.hex()}).verify, server_now=lambda: self.now, blobs=blobs, report=self.said,
        )  # fmt: skip

    async def crash(self) -> None:
        self.runner = self.make()
        await self.runner.resume()
        await self.runner.idle()

    async def order(
        self, op: str, args: dict[str, Any], order_id: str = "o1", seq: int = 1, **more: Any
    ) -> Outcome | None:
        await self.runner.fetched(item(op, args, order_id, seq, **more))
        await self.runner.idle()
        return dict(self.said.ends).get(order_id)


def item(
    op: str, args: dict[str, Any], order_id: str = "o1", seq: int = 1, host: str = "h", not_after: float = 1000.0
) -> dict[str, Any]:
    return {
        "sealed": seal(Envelope(order_id, host, seq, op, args, not_after), kid=key_id(RAW), sign=KEY.sign),
        "grants": {},
    }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


STOP = {"engine_id": "c1"}


async def test_it_works(bench: Bench) -> None:
    ended = await bench.order("container.stop", STOP)
    assert ended is not None
    assert (ended.state, ended.result) == ("done", {"engine_id": "c1"})
    assert bench.engine.calls == ["POST /containers/c1/stop"]


async def test_a_repeat_is_answered_from_the_journal(bench: Bench) -> None:
    await bench.order("container.kill", STOP)
    bench.now = 5000.0  # long past its not_after
    await bench.order("container.kill", STOP)
    assert bench.engine.calls == ["POST /containers/c1/kill"]
    assert len(bench.said.ends) == 2
    assert bench.said.ends[0] == bench.said.ends[1]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda one: one["sealed"].update(sig=base64.b64encode(b"x" * 64).decode()), "bad_signature"),
        (lambda one: one["sealed"].update(kid="0" * 64), "bad_signature"),
        (lambda one: one.update(sealed=None), "malformed"),
        (lambda one: one.update(item("container.stop", STOP, host="other")), "wrong_host"),
        (lambda one: one.update(item("container.stop", STOP, not_after=99.0)), "expired"),
        (lambda one: one.update(item("engine.format", {})), "bad_order"),
    ],
)
async def test_what_is_not_for_this_host_has_no_effect(
    bench: Bench, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    one = item("container.stop", STOP)
    change(one)
    await bench.runner.fetched(one)
    await bench.runner.idle()
    assert [refusal.code for refusal in bench.said.refusals] == [code]
    assert bench.engine.calls == []


async def test_orders_of_one_lane_keep_their_sequence(bench: Bench) -> None:
    for seq in (3, 1, 2):
        op = {1: "container.start", 2: "container.pause", 3: "container.unpause"}[seq]
        await bench.runner.fetched(item(op, STOP, f"o{seq}", seq))
    await bench.runner.idle()
    assert bench.engine.calls[-2:] == ["POST /containers/c1/pause", "POST /containers/c1/unpause"] or [
        call.rsplit("/", 1)[1] for call in bench.engine.calls
    ] == ["unpause", "start", "pause"]


async def test_a_cancelled_order_has_no_effect(bench: Bench) -> None:
    gate = asyncio.Event()

    async def slow(method: str, path: str, **_: Any) -> None:
        bench.engine.calls.append(f"{method} {path}")
        await gate.wait()

    bench.engine.call = slow  # type: ignore[method-assign]
    await bench.runner.fetched(item("container.stop", STOP, "o1", 1))
    await bench.runner.fetched(item("container.start", STOP, "o2", 2))
    await asyncio.sleep(0.1)
    await bench.runner.cancel("o2")
    await bench.runner.cancel("o1")
    gate.set()
    await bench.runner.idle()
    assert {order_id: end.state for order_id, end in bench.said.ends} == {"o1": "done", "o2": "cancelled"}
    assert bench.engine.calls == ["POST /containers/c1/stop"]


async def test_a_cancelled_order_does_not_wait_for_its_secret(bench: Bench) -> None:
    await bench.book.take(Envelope("o1", "h", 1, "image.pull", {"reference": "r.example/x:1"}, 1000.0))
    await bench.runner.resume()
    await asyncio.sleep(0.1)
    assert bench.said.asked == 1
    await bench.runner.cancel("o1")
    async with asyncio.timeout(20):
        await bench.runner.idle()
    assert [end.state for _, end in bench.said.ends] == ["cancelled"]


async def test_no_secret_stays_behind(bench: Bench) -> None:
    one = item("image.pull", {"reference": "r.example/x:1"}) | {"grants": {"registry_auth": {}}, "cancel": True}
    await bench.runner.fetched(one)
    await bench.runner.idle()
    assert bench.runner._grants == {}


async def test_a_cancel_that_was_missed_comes_with_the_order(bench: Bench) -> None:
    await bench.runner.fetched(item("container.stop", STOP) | {"cancel": True})
    await bench.runner.idle()
    assert [end.state for _, end in bench.said.ends] == ["cancelled"]
    assert bench.engine.calls == []


async def test_an_order_whose_turn_comes_too_late_expires(bench: Bench) -> None:
    await bench.book.take(Envelope("o1", "h", 1, "container.stop", STOP, 1000.0))
    bench.now = 2000.0
    await bench.crash()
    assert [end.state for _, end in bench.said.ends] == ["expired"]
    assert bench.engine.calls == []


async def half_done(bench: Bench, op: str, args: dict[str, Any]) -> None:
    """An order whose intent was written, and whose process then died."""
    await bench.book.take(Envelope("o1", "h", 1, op, args, 1000.0))
    await bench.book.begin("o1")
    await bench.crash()


def state(status: str, started: str = "2020-01-01T00:00:00.5Z", name: str = "/n") -> dict[str, Any]:
    now = {"Status": status, "Running": status in {"running", "paused"}, "Paused": status == "paused"}
    return {"Id": "c1", "Name": name, "State": {**now, "StartedAt": started}}


LATER = "2999-01-01T00:00:00.123456789Z"


@pytest.mark.parametrize(
    ("op", "args", "now"),
    [
        ("container.start", STOP, state("running")),
        ("container.start", STOP, state("exited", LATER)),
        ("container.stop", STOP, state("exited")),
        ("container.restart", STOP | {"timeout": 0}, state("running", LATER)),
        ("container.pause", STOP, state("paused")),
        ("container.unpause", STOP, state("running")),
        ("container.rename", STOP | {"name": "new"}, state("running", name="/new")),
        ("container.remove", STOP, EngineError(404, "No such container")),
    ],
)
async def test_a_finished_effect_is_recognised(bench: Bench, op: str, args: dict[str, Any], now: Any) -> None:
    bench.engine.answers["GET /containers/c1/json"] = now
    await half_done(bench, op, args)
    assert [end.state for _, end in bench.said.ends] == ["done"]
    assert all(call.startswith("GET") for call in bench.engine.calls), bench.engine.calls


@pytest.mark.parametrize(
    ("op", "args", "now", "call"),
    [
        ("container.start", STOP, state("exited"), "POST /containers/c1/start"),
        ("container.stop", STOP, state("running"), "POST /containers/c1/stop"),
        ("container.pause", STOP, state("running"), "POST /containers/c1/pause"),
        ("container.remove", STOP, state("exited"), "DELETE /containers/c1"),
    ],
)
async def test_a_missing_effect_is_made(bench: Bench, op: str, args: dict[str, Any], now: Any, call: str) -> None:
    bench.engine.answers["GET /containers/c1/json"] = now
    await half_done(bench, op, args)
    assert [end.state for _, end in bench.said.ends] == ["done"]
    assert bench.engine.calls.count(call) == 1


@pytest.mark.parametrize("own", [30, -1])
async def test_a_restart_may_take_the_containers_own_stop_timeout(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, own: int
) -> None:
    seconds = itertools.count(0.0, 0.5)
    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: next(seconds), time_ns=time.time_ns))
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0)
    stopping = state("running") | {"Config": {"StopTimeout": own}}
    bench.engine.answers["GET /containers/c1/json"] = [stopping] * 50 + [state("running", LATER)]
    await half_done(bench, "container.restart", STOP)
    assert [end.state for _, end in bench.said.ends] == ["done"]
    assert "POST /containers/c1/restart" not in bench.engine.calls


@pytest.mark.parametrize("op", ["container.kill", "image.prune", "volume.prune", "network.prune", "system.prune"])
async def test_what_cannot_be_recognised_happens_at_most_once(bench: Bench, op: str) -> None:
    args = STOP if op == "container.kill" else {"kinds": ["images"]} if op == "system.prune" else {}
    await half_done(bench, op, args)
    [(_, end)] = bench.said.ends
    assert (end.state, end.problem and end.problem["code"]) == ("failed", "outcome_unknown")
    assert bench.engine.calls == []


async def test_a_create_is_found_by_its_label_and_started(bench: Bench) -> None:
    bench.engine.answers["GET /containers/json"] = [[{"Id": "c1"}]]
    bench.engine.answers["GET /containers/c1/json"] = state("created")
    args = {"id": "u", "image": "x", "spec": {}, "start": True}
    await bench.book.take(Envelope("o1", "h", 1, "container.create", args, 1000.0))
    await bench.book.begin("o1")
    bench.runner = bench.make()
    await bench.runner.resume()
    await asyncio.sleep(0.1)
    # it may need a registry's token, which only a fetch brings
    assert bench.said.asked == 1
    await bench.order("container.create", args)
    assert [end.state for _, end in bench.said.ends] == ["done"]
    assert bench.engine.calls[-1] == "POST /containers/c1/start"
    assert "POST /containers/create" not in bench.engine.calls


async def test_an_engine_that_is_down_is_waited_for(bench: Bench) -> None:
    bench.engine.answers["POST /containers/c1/stop"] = [
        EngineDown("no", sent=False),
        EngineDown("no", sent=False),
        None,
    ]
    ended = await bench.order("container.stop", STOP)
    assert ended is not None
    assert ended.state == "done"


async def test_an_engine_that_died_over_it_is_asked_what_became_of_it(bench: Bench) -> None:
    bench.engine.answers["POST /containers/c1/stop"] = [EngineDown("went away", sent=True)]
    bench.engine.answers["GET /containers/c1/json"] = state("exited")
    ended = await bench.order("container.stop", STOP)
    assert ended is not None
    assert ended.state == "done"
    assert bench.engine.calls.count("POST /containers/c1/stop") == 1


async def test_the_engines_words_end_the_order(bench: Bench) -> None:
    bench.engine.answers["POST /containers/c1/stop"] = EngineError(404, "No such container: c1")
    ended = await bench.order("container.stop", STOP)
    assert ended is not None
    assert ended.problem == {"code": "not_found", "status": 404, "detail": "No such container: c1"}


async def test_what_is_in_the_way_is_a_conflict_and_no_lack_of_rights(bench: Bench) -> None:
    bench.engine.answers["DELETE /networks/n1"] = EngineError(403, "network n1 has active endpoints")
    ended = await bench.order("network.remove", {"id": "x", "engine_id": "n1", "name": "n1"})
    assert ended is not None
    assert (ended.problem["code"], ended.problem["status"]) == ("conflict", 403)


async def test_the_hosts_policy_is_named(bench: Bench) -> None:
    (bench.path / "policy.toml").write_text("read_only = true")
    ended = await bench.order("container.stop", STOP)
    assert ended is not None
    assert ended.problem is not None
    assert (ended.state, ended.problem["rule"], ended.problem["status"]) == ("failed", "read_only", 403)
    assert bench.engine.calls == []


def test_every_op_says_how_it_is_recognised() -> None:
    assert all(operation.recognise is not None for operation in OPERATIONS.values())
