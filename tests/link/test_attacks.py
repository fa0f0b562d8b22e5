"""E3 to E6: what an enrolled host must not get away with, and what revoking it ends."""

import asyncio
import base64
import contextlib
import json
import uuid
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import ConnectionClosed

from agent.protocol.mux import StreamClosed
from tests.link.rogue import Rogue
from tests.link.stack import Stack, wait_for
from tests.link.test_orders import docker


@pytest.fixture
async def rogue(stack: Stack, name: str) -> AsyncIterator[Rogue]:
    """A connected host that does what the test says."""
    stack.do("forget_attempts")
    done = await asyncio.to_thread(stack.enrol, name)
    assert done.returncode == 0, done.stderr
    async with Rogue(stack.state(name)) as made:
        yield made


@pytest.fixture
def victims_order(stack: Stack, host: str) -> str:
    """An order of another host, that nobody carries out."""
    stack.do("forget_attempts")
    name = f"victim-{uuid.uuid4().hex[:8]}"
    stack.enrol(name)
    stack.do("set_host", name, state="offline")
    return stack.do("order", name, "image.build", {"context": "a" * 64, "tags": ["x:1"]}, ring=False)


async def test_e3_every_report_about_anothers_order_is_refused(stack: Stack, rogue: Rogue, victims_order: str) -> None:
    before = len(stack.do("audit", "agent.report"))
    reports = [
        ("order.running", {"at": "2026-01-01T00:00:00Z"}),
        ("order.progress", {"lines": [{"n": 1, "text": "x"}], "progress": {}}),
        ("order.result", {"state": "done", "result": {}, "problem": None, "finished_at": ""}),
        ("order.refused", {"code": "x", "detail": "x"}),
    ]
    for kind, fields in reports:
        answer = await rogue.answer_to(await rogue.say(kind, order_id=victims_order, **fields))
        assert (answer["type"], answer["code"]) == ("refuse", "not_this_hosts"), kind
    assert stack.do("orders", [victims_order])[0]["state"] == "queued"
    assert len(stack.do("audit", "agent.report")) == before + len(reports)


async def test_e3_a_fetch_gives_a_hosts_own_orders_only(
    stack: Stack, rogue: Rogue, name: str, victims_order: str
) -> None:
    own = stack.do("order", name, "host.refresh", {}, ring=False)
    await rogue.say("fetch", after=0)
    message = await rogue.until("orders")
    text = json.dumps(message)
    assert len(message["items"]) == 1
    body = json.loads(base64.b64decode(message["items"][0]["sealed"]["body"]))
    assert body["order_id"] == own
    assert victims_order not in text


async def test_e3_reported_containers_never_touch_anothers_row(
    stack: Stack, rogue: Rogue, host: str, name: str
) -> None:
    victim = stack.do("container", host, "f" * 64)
    stack.do("set_container", victim, name="keep-me")
    item = {"engine_id": "f" * 64, "longshore_id": victim, "name": "<script>alert(1)</script>", "state": "exited"}
    answer = await rogue.answer_to(await rogue.say("changed", kind="container", items=[item], gone=["f" * 64]))
    assert answer["type"] == "ack"
    assert next(row for row in stack.do("containers", host) if row["id"] == victim)["name"] == "keep-me"
    stack.do("set_container", victim, engine_id="", removed_at="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("target", ["engine", "redis", "", "bell2"])
async def test_e3_an_agent_opens_bell_and_blob_only(stack: Stack, rogue: Rogue, target: str) -> None:
    stream = await rogue.session.open(target, {"method": "GET", "path": "/containers/json"})
    with pytest.raises(StreamClosed) as caught:
        await asyncio.wait_for(stream.accepted(), 30)
    assert caught.value.code == "denied"
    assert stack.do("audit", "agent.stream")


async def test_e3_anothers_build_context_is_denied(stack: Stack, rogue: Rogue, victims_order: str) -> None:
    for digest in ("a" * 64, "../../etc/passwd", ""):
        stream = await rogue.session.open("blob", {"digest": digest})
        with pytest.raises(StreamClosed) as caught:
            await asyncio.wait_for(stream.accepted(), 30)
        assert caught.value.code == "denied"


async def test_e4_a_copied_disk_closes_the_older_and_is_an_alarm(stack: Stack, rogue: Rogue, name: str) -> None:
    async with Rogue(stack.state(name), boot_id="another-machine"):
        code, _ = await asyncio.wait_for(rogue.closed, 30)
        assert code == 4409
        alarm = await asyncio.to_thread(
            wait_for, lambda: [one for one in stack.do("audit", "agent.superseded") if one["target"] == name], 5
        )
        assert len(alarm) == 1
        assert any(event["action"] == "superseded" for event in stack.do("events", name))
        assert stack.do("host", name)["state"] == "online"


async def test_e4_a_reconnect_of_the_same_boot_is_no_alarm(stack: Stack, rogue: Rogue, name: str) -> None:
    async with Rogue(stack.state(name)):
        await asyncio.wait_for(rogue.closed, 30)
        assert not [one for one in stack.do("audit", "agent.superseded") if one["target"] == name]


async def test_e5_revoking_ends_streams_orders_and_redis_user(stack: Stack, rogue: Rogue, name: str) -> None:
    bell = await rogue.session.open("bell", {})
    await bell.accepted()
    queued = stack.do("order", name, "host.refresh", {}, ring=False)
    assert f"agent-{rogue.identity.host_id}" in stack.redis_cli("ACL", "LIST")
    began = asyncio.get_running_loop().time()
    await asyncio.to_thread(stack.do, "revoke", name)
    code, _ = await asyncio.wait_for(rogue.closed, 30)
    assert code == 4403
    assert asyncio.get_running_loop().time() - began < 10.0
    with pytest.raises(StreamClosed):
        await bell.read()
    await asyncio.to_thread(
        wait_for, lambda: f"agent-{rogue.identity.host_id}" not in stack.redis_cli("ACL", "LIST"), 2
    )
    [ended] = stack.do("orders", [queued])
    assert (ended["state"], ended["problem"]["code"]) == ("failed", "host_revoked")
    with pytest.raises(Exception, match=r"hello|close|4401"):
        async with Rogue(stack.state(name)):
            pass


async def test_e5_revoking_leaves_containers_running(stack: Stack, engine: str, name: str) -> None:
    stack.do("forget_attempts")
    await asyncio.to_thread(stack.enrol, name)
    process = stack.link(name, engine)
    try:
        await asyncio.to_thread(stack.online, name)
        args = {"id": str(uuid.uuid4()), "image": "lnk-busybox:1", "name": name, "start": True, "pull": "never",
                "spec": {"Cmd": ["sleep", "600"]}}  # fmt: skip
        [made] = await asyncio.to_thread(stack.ended, stack.do("order", name, "container.create", args))
        assert made["state"] == "done"
        pid = docker(engine, "inspect", "-f", "{{.State.Pid}}", name)
        await asyncio.to_thread(stack.do, "revoke", name)
        await asyncio.sleep(1)
        assert docker(engine, "inspect", "-f", "{{.State.Pid}}", name) == pid
        assert stack.do("host", name)["state"] == "revoked"
    finally:
        process.stop()
        docker(engine, "rm", "-f", name)


@pytest.mark.parametrize(
    ("message", "codes"),
    [
        ("x" * (10 << 20), {1009}),
        (b"x" * (10 << 20), {1009}),
        ("{not json", {4400}),
        ('{"type":"shell","n":1}', {4400}),
        ('{"type":"stats"}', {4400}),
        ('{"type":"fetch","n":1,"after":"0"}', {4400}),
        ("[" * 100000, {4400}),
        (b"\x63\0\0\0\1", {4400}),
        (b"\x03\0\0\0\7x", {4400}),
    ],
)
async def test_e6_a_malformed_message_ends_the_connection(
    stack: Stack, rogue: Rogue, message: str | bytes, codes: set[int]
) -> None:
    with contextlib.suppress(ConnectionClosed):
        await rogue.socket.send(message)
    code, _ = await asyncio.wait_for(rogue.closed, 30)
    assert code in codes


async def test_e6_a_flood_of_reports_ends_the_connection(stack: Stack, rogue: Rogue, host: str) -> None:
    with contextlib.suppress(ConnectionClosed):
        for _ in range(10_000):
            await rogue.say("stats", items=[])
    code, _ = await asyncio.wait_for(rogue.closed, 30)
    assert code == 1008
    # nobody else is held up
    [done] = await asyncio.to_thread(stack.ended, stack.do("order", host, "host.refresh", {}))
    assert done["state"] == "done"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("changed", {"kind": "container", "items": ["x", 5, None], "gone": []}),
        ("changed", {"kind": "container", "items": [{"engine_id": {"a": 1}, "labels": [1]}], "gone": [{}]}),
        ("events", {"items": [{"at_nano": "x", "kind": 5}]}),
        ("stats", {"items": [{"engine_id": [], "cpu_percent": "x"}]}),
        ("host", {"report": {"cpus": -1, "engine_info": "x", "disk_total_bytes": 1e300}}),
        ("order.result", {"order_id": "x", "state": "won", "result": {}, "problem": None, "finished_at": "x"}),
    ],
)
async def test_e6_nonsense_inside_a_report_breaks_nothing(
    stack: Stack, rogue: Rogue, kind: str, fields: dict[str, object]
) -> None:
    answer = await rogue.answer_to(await rogue.say(kind, **fields))
    assert answer["type"] in {"ack", "refuse"}


async def test_a_silent_host_is_stale_then_offline_and_comes_back(stack: Stack, rogue: Rogue, name: str) -> None:
    for age, state in ((31, "stale"), (46, "offline")):
        stack.do("silent_for", name, age)
        stack.do("run_task", "hosts.sweep_presence")
        assert stack.do("host", name)["state"] == state
    async with Rogue(stack.state(name)):
        assert stack.do("host", name)["state"] == "online"
