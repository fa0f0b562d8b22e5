"""Records, journal, locks and look-up over a real database."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.errors import Invalid, NotFound, System
from agent.engine.state.db import Database
from agent.engine.state.journal import Journal
from agent.engine.state.locks import Locks
from agent.engine.state.lookup import resolve
from agent.engine.state.migrations import MIGRATIONS
from agent.engine.state.records import ContainerRecord, Health, HealthResult, MountPoint, State, Status
from agent.engine.state.repository import Containers
from agent.engine.state.times import rfc3339nano


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "engine.db")
    yield opened
    opened.close()


def container(id_: str, name: str) -> ContainerRecord:
    return ContainerRecord(
        id=id_, name=name, created_ns=1, path="x", args=(), config={}, host_config={}, image_id="i", image_ref="r"
    )


async def test_a_record_comes_back_whole(database: Database) -> None:
    health = Health("healthy", 0, (HealthResult(1, 2, 0, "fine"),))
    full = container("a1", "web")
    full = full.with_state(status=Status.RUNNING, pid=5, pid_ticks=9, health=health)
    full = ContainerRecord(
        **{f: getattr(full, f) for f in full.__struct_fields__} | {"mounts": (MountPoint("bind", "/a", "/b"),)}
    )
    await Containers(database).save(full)
    assert Containers(database).get("a1") == full


async def test_a_change_works_on_the_newest(database: Database) -> None:
    containers = Containers(database)
    await containers.save(container("a1", "web"))
    await asyncio.gather(
        containers.change("a1", restart_count=3), containers.change("a1", state=State(status=Status.EXITED))
    )
    found = Containers(database).get("a1")
    assert (found.restart_count, found.state.status) == (3, Status.EXITED)


async def test_names_follow_renames_and_removals(database: Database) -> None:
    containers = Containers(database)
    await containers.save(container("a1", "web"))
    await containers.change("a1", name="db")
    assert containers.by_name("/web") is None
    assert containers.by_name("/db") is not None
    await containers.delete("a1")
    assert containers.by_name("db") is None
    with pytest.raises(NotFound):
        containers.get("a1")


async def test_all_of_a_write_or_nothing(database: Database) -> None:
    containers = Containers(database)
    with pytest.raises(System):
        await containers.save(container("a1", "web"), also=[("INSERT INTO nosuch VALUES (1)", ())])
    assert "a1" not in containers
    assert containers.by_name("web") is None
    assert len(Containers(database)) == 0


async def test_writes_that_wait_together_do_not_share_their_failures(database: Database) -> None:
    containers = Containers(database)
    outcomes = await asyncio.gather(
        containers.save(container("a1", "one")),
        containers.save(container("a2", "two"), also=[("INSERT INTO nosuch VALUES (1)", ())]),
        containers.save(container("a3", "three")),
        return_exceptions=True,
    )
    assert [isinstance(outcome, System) for outcome in outcomes] == [False, True, False]
    assert {record.id for record in Containers(database)} == {"a1", "a3"}


async def test_the_journal_keeps_what_is_under_way(database: Database) -> None:
    journal = Journal(database)
    first = await journal.begin("create", "a1", {"volumes": ["v"]})
    second = await journal.begin("start", "a2")
    await journal.step(first, "mounted")
    assert [(one.operation, one.subject, one.steps) for one in journal.open_intents()] == [
        ("create", "a1", ["mounted"]),
        ("start", "a2", []),
    ]
    await Containers(database).save(container("a1", "web"), also=[journal.closing(first)])
    await journal.done(second)
    assert journal.open_intents() == []


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    opened = Database(tmp_path / "engine.db")
    opened.read(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    opened.close()
    with pytest.raises(System, match="run the newer engine"):
        Database(tmp_path / "engine.db")


def test_no_database(tmp_path: Path) -> None:
    (tmp_path / "engine.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(System, match="cannot be opened"):
        Database(tmp_path / "engine.db")


def test_lookup() -> None:
    found = {"abc1": 1, "abd2": 2}
    names = {"web": "abc1", "abd": "abc1"}
    assert [resolve(ref, found.get, names, found, "container") for ref in ("abc1", "/web", "abd", "abd2", "abc")] == [
        1, 1, 1, 2, 1,
    ]  # fmt: skip
    with pytest.raises(NotFound, match="No such container: x"):
        resolve("x", found.get, names, found, "container")
    with pytest.raises(Invalid, match="multiple IDs found with provided prefix: ab"):
        resolve("ab", found.get, names, found, "container")
    with pytest.raises(NotFound):
        resolve("", found.get, names, found, "container")


async def test_a_lock_an_object() -> None:
    locks, order = Locks(), []

    async def work(key: str, name: str) -> None:
        async with locks.hold(key):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    async with locks.hold("a"):
        waiting = asyncio.create_task(work("a", "one"))
        await work("b", "two")
        assert locks.held("a")
    await waiting
    assert order == ["two in", "two out", "one in", "one out"]
    assert not locks.held("a")


def test_times() -> None:
    assert rfc3339nano(0) == "0001-01-01T00:00:00Z"
    assert rfc3339nano(1_500_000_000_120_000_000) == "2017-07-14T02:40:00.12Z"
    assert rfc3339nano(1_500_000_000_000_000_000) == "2017-07-14T02:40:00Z"
