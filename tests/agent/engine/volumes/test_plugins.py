"""Docker's protocol of volume plugins, spoken to a real process that works, hangs, dies and lies."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.errors import Conflict, EngineError, NotFound, System, Unavailable
from agent.engine.state.records import Status
from agent.engine.volumes import drivers
from agent.engine.volumes import plugin as plugins
from agent.engine.volumes.discovery import Address, Places
from agent.engine.volumes.holding import mount_id
from tests.agent.engine.volumes.bench import Bench
from tests.agent.engine.volumes.plugins import FakePlugin, fake_plugin


@pytest.fixture
def fake(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlugin]:
    monkeypatch.setattr(plugins, "SECONDS", 3.0)
    monkeypatch.setattr(drivers, "SECONDS", 3.0)
    monkeypatch.setattr(drivers, "LISTING_SECONDS", 1.5)
    with fake_plugin(bench.paths.root / "plugins", tmp_path / "fake") as running:
        yield running


async def test_it_works(bench: Bench, fake: FakePlugin) -> None:
    made = await bench.service.create("data", driver="fake", options={"a": "b"}, labels={"x": "y"})
    assert (made.driver, made.scope, made.labels, made.options) == ("fake", "global", {"x": "y"}, {"a": "b"})
    assert json.loads((fake.home / "data.options").read_text()) == {"a": "b"}
    path = await bench.service.acquire("data", "c1")
    assert path == fake.data / "data"
    await bench.service.acquire("data", "c2")
    await bench.service.acquire("data", "c2")
    await bench.service.release("data", "c1")
    await bench.service.release("data", "c1")
    await bench.service.release("data", "c2")
    ids = {name: mount_id(name)[:12] for name in ("c1", "c2")}
    assert fake.calls("Mount", "Unmount") == [
        f"Mount data {ids['c1']}", f"Mount data {ids['c2']}", f"Mount data {ids['c2']}",
        f"Unmount data {ids['c1']}", f"Unmount data {ids['c2']}",
    ]  # fmt: skip
    record, found = await bench.service.inspect("data")
    assert (record.mountpoint, found.status) == (str(path), {"mood": "fine"})
    await bench.service.remove("data")
    assert not path.exists()
    assert bench.service.drivers.names == ["fake", "local"]
    assert [action for action, _ in bench.actions()][:2] == ["create", "mount"]


async def test_what_only_the_plugin_knows(bench: Bench, fake: FakePlugin) -> None:
    (fake.data / "theirs").mkdir(parents=True)
    await bench.service.create("ours")
    listed, warnings = await bench.service.everything()
    assert [(one.name, one.driver) for one in listed] == [("ours", "local"), ("theirs", "fake")]
    assert warnings == []
    record, _ = await bench.service.inspect("theirs")
    assert (record.driver, record.scope) == ("fake", "global")
    assert (await bench.service.create("theirs")).driver == "fake"
    with pytest.raises(Conflict, match="create theirs: driver 'fake' already has volume 'theirs': volume name must be"):
        await bench.service.create("theirs", driver="local")
    (fake.data / "theirs").rmdir()
    with pytest.raises(NotFound, match="get theirs: no such volume"):
        await bench.service.inspect("theirs")
    assert [one.name for one in bench.service.list()] == ["ours"]


async def test_no_such_plugin(bench: Bench, fake: FakePlugin) -> None:
    words = 'create data: error looking up volume plugin nosuch: plugin "nosuch" not found'
    with pytest.raises(NotFound, match=words):
        await bench.service.create("data", driver="nosuch")
    for name in ("../fake", ".", "a/b"):
        with pytest.raises(NotFound):
            await bench.service.create("data", driver=name)


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("hang", "context deadline exceeded after 3 s"),
        ("garbage", "the plugin's answer is no JSON"),
        ("error", "VolumeDriver.Mount: the dog ate it"),
        ("relative", "gave no absolute Mountpoint: '../../etc'"),
        ("list", "the plugin's answer is no object"),
        ("die", "Post"),
    ],
)
async def test_it_misbehaves(bench: Bench, fake: FakePlugin, mood: str, words: str) -> None:
    await bench.service.create("data", driver="fake")
    fake.mood(f"{mood} Mount")
    began = time.monotonic()
    with pytest.raises(EngineError, match=words) as failure:
        await bench.service.acquire("data", "c1")
    assert str(failure.value).startswith("error while mounting volume '")
    assert time.monotonic() - began < 8
    assert bench.service.get("data").holders == ("c1",)
    fake.kill()
    fake.mood("")
    fake.start()
    # What the plugin may have mounted for the failed start is unmounted when the start gives up its volumes.
    await bench.service.release("data", "c1")
    ends = time.monotonic() + 20
    while bench.service.get("data").holders:
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)
    assert await bench.service.acquire("data", "c1") == fake.data / "data"


async def test_nobody_else_waits_for_one_that_hangs(bench: Bench, fake: FakePlugin) -> None:
    await bench.service.create("data", driver="fake")
    await bench.service.create("ours")
    fake.mood("hang")
    hanging = asyncio.create_task(bench.service.acquire("data", "c1"))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await bench.service.acquire("ours", "c2")
    assert time.monotonic() - began < 8.0
    listed, warnings = await bench.service.everything()
    assert [one.name for one in listed] == ["data", "ours"]
    assert warnings[0].startswith("list fake: ")
    asked = fake.calls("List")
    assert (await bench.service.everything())[1]
    assert fake.calls("List") == asked, "it is not asked again so soon"
    with pytest.raises(Unavailable, match='get data: error while checking if volume "data" exists in driver "fake"'):
        await bench.service.inspect("data")
    with pytest.raises(Unavailable):
        await hanging


async def test_it_dies_and_comes_back(bench: Bench, fake: FakePlugin) -> None:
    await bench.service.create("data", driver="fake")
    fake.kill()
    with pytest.raises(Unavailable, match=r"dial unix .*fake.sock: connect: connection refused"):
        await bench.service.acquire("data", "c1")
    with pytest.raises(Conflict, match="got an error while checking the driver"):
        await bench.service.create("data", driver="fake")
    with pytest.raises(EngineError, match=r"remove data: .*connection refused"):
        await bench.service.remove("data")
    waiting = asyncio.create_task(bench.service.acquire("data", "c1"))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(fake.start)
    assert await waiting == fake.data / "data"
    fake.kill()
    await bench.service.release("data", "c1")
    await bench.service.remove("data", force=True)
    assert bench.service.list() == []


async def test_unmounted_again_after_a_crash(bench: Bench, fake: FakePlugin) -> None:
    await bench.service.create("data", driver="fake")
    one, two = await bench.container("one", "data"), await bench.container("two", "data")
    for record in (one, two):
        await bench.service.acquire("data", record.id)
    fake.kill()
    again = bench.make()
    began = time.monotonic()
    await again.recover([two.with_state(status=Status.RUNNING)])
    assert time.monotonic() - began < 8.0  # a plugin that is away keeps nobody from starting
    await asyncio.to_thread(fake.start)
    ends = time.monotonic() + 10
    while not (calls := fake.calls("Unmount")):
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)
    assert calls == [f"Unmount data {mount_id(one.id)[:12]}"]
    while bench.service.get("data").holders != (two.id,):
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)
    await again.close()


def test_where_plugins_are_found(tmp_path: Path) -> None:
    first, second = tmp_path / "run", tmp_path / "etc"
    (second / "nested").mkdir(parents=True)
    first.mkdir()
    (second / "one.spec").write_text("tcp://127.0.0.1:7777\n")
    tls = {"CAFile": "/ca", "CertFile": "/cert", "KeyFile": "/key"}
    (second / "two.json").write_text(json.dumps({"Name": "x", "Addr": "https://localhost:1", "TLSConfig": tls}))
    (second / "nested/nested.spec").write_text("unix:///run/nested")
    (second / "bad.spec").write_text("nonsense")
    (first / "file.sock").write_text("")
    places = Places((first, second))
    assert places.names() == ["bad", "nested", "one", "two"]
    assert places.find("one") == Address("tcp://127.0.0.1:7777")
    found = places.find("two")
    assert found is not None
    assert found.tls is not None
    assert (found.url, found.tls.ca_file, found.tls.insecure) == ("https://localhost:1", "/ca", False)
    assert places.find("nested") == Address("unix:///run/nested")
    with pytest.raises(System, match="Unknown protocol"):
        places.find("bad")
    assert places.find("file") is None
