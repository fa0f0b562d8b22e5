"""The health state machine, and the monitor with a fake exec."""

import asyncio
from typing import Any

import pytest

from agent.engine.containers import health
from agent.engine.containers.io.exec import Exec
from agent.engine.events import EventBus
from agent.engine.state.records import ContainerRecord, Health, HealthResult, State, Status

CHECK = health.Check(("true",), retries=2)


def result(code: int) -> HealthResult:
    return HealthResult(1, 2, code, "")


@pytest.mark.parametrize(
    ("codes", "starting", "status", "streak"),
    [
        ([0], False, "healthy", 0),
        ([1], False, "starting", 1),
        ([1, 1], False, "unhealthy", 2),
        ([0, 1], False, "healthy", 1),
        ([0, 1, 1], False, "unhealthy", 2),
        ([1, 1, 0], False, "healthy", 0),
        ([1, 1, 1], True, "starting", 0),
        ([0, 1, 1], True, "unhealthy", 2),
    ],
)
def test_the_state_machine(codes: list[int], starting: bool, status: str, streak: int) -> None:
    found = Health("starting")
    for code in codes:
        found = health.judged(found, result(code), CHECK, starting=starting)
    assert (found.status, found.failing_streak) == (status, streak)


def test_the_log_keeps_five() -> None:
    found = Health("starting")
    for code in range(9):
        found = health.judged(found, result(code), CHECK, starting=False)
    assert [one.exit_code for one in found.log] == [4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("test", "argv"),
    [
        (None, None),
        ([], None),
        (["NONE"], None),
        (["CMD"], None),
        (["CMD", "a", "b"], ("a", "b")),
        (["CMD-SHELL", "a b"], ("/bin/sh", "-c", "a b")),
    ],
)
def test_checks(test: Any, argv: Any) -> None:
    found = health.check_of({"Healthcheck": {"Test": test}} if test is not None else {})
    assert (found.argv if found else None) == argv
    if found:
        assert (found.interval, found.timeout, found.retries) == (30, 30, 3)


def test_durations_as_go_prints_them() -> None:
    assert [health._duration(s) for s in (0.3, 1.5, 60, 90, 3661)] == ["300ms", "1.5s", "1m0s", "1m30s", "1h1m1s"]


class Execs:
    """Answers a list of codes; None never ends."""

    def __init__(self, codes: list[int | None]) -> None:
        self.codes, self.killed = codes, 0

    def create(self, record: ContainerRecord, wanted: Exec) -> Exec:
        return wanted

    async def run(self, exec_: Exec, client: Any) -> None:
        code = self.codes.pop(0) if self.codes else 0
        if code is None:
            await asyncio.sleep(60)
        await client.write(b"x" * 5000)
        exec_.exit_code = code

    def kill(self, exec_: Exec) -> None:
        self.killed += 1

    def drop(self, exec_: Exec) -> None:
        pass


async def test_trap_11_the_monitor_tells_and_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    test = {"Test": ["CMD", "x"], "Interval": 10_000_000, "Timeout": 50_000_000, "Retries": 2}
    records = {
        "a": ContainerRecord(
            id="a", name="a", created_ns=1, path="", args=(), config={"Healthcheck": test}, host_config={}, image_id="",
            image_ref="busy", state=State(status=Status.RUNNING, pid=1, health=Health("starting")),
        )
    }  # fmt: skip

    async def save(record: ContainerRecord) -> None:
        records[record.id] = record

    bus, execs = EventBus(), Execs([0, 1, None, 0])
    monitor = asyncio.create_task(health.HealthMonitor(bus, records.get, save, execs).run([]))
    await asyncio.sleep(0)
    bus.publish("container", "start", "a", {})
    seen: list[str] = []
    for _ in range(200):
        await asyncio.sleep(0.005)
        seen = [event["Action"] for event in bus.history() if event["Action"].startswith("health_status")]
        if len(seen) == 3:
            break
    assert seen == ["health_status: healthy", "health_status: unhealthy", "health_status: healthy"]
    assert execs.killed == 1
    log = records["a"].state.health.log
    assert [one.exit_code for one in log][:4] == [0, 1, -1, 0]
    assert log[2].output == "Health check exceeded timeout (50ms)"
    assert len(log[0].output) == 4096
    bus.publish("container", "die", "a", {})
    await asyncio.sleep(0.05)
    count = len(records["a"].state.health.log)
    await asyncio.sleep(0.05)
    assert len(records["a"].state.health.log) == count
    monitor.cancel()
    await asyncio.gather(monitor, return_exceptions=True)
