"""A plugin that hangs, dies or lies under a running engine: clear words, and nobody else notices."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.volumes.holding import mount_id
from tests.agent.engine.conftest import IMAGE, RunningEngine, running_engine
from tests.agent.engine.volumes.plugins import FakePlugin, fake_plugin


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningEngine, FakePlugin]]:
    home = tmp_path_factory.mktemp("plugin")
    with (
        fake_plugin(home / "plugins", home / "fake") as fake,
        running_engine("--plugin-directory", str(home / "plugins")) as engine,
    ):
        yield engine, fake


def waited(until: object, seconds: float = 20.0) -> None:
    """Wait for a condition."""
    ends = time.monotonic() + seconds
    while not until():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_volume_driver_of_a_container(cast: tuple[RunningEngine, FakePlugin]) -> None:
    engine, fake = cast
    made = engine.docker.ok(f"run -d --volume-driver fake -v mine:/data -v /anonymous {IMAGE} sleep 1000")
    engine.docker.ok(f"exec {made} sh -c 'echo x > /data/file'")
    assert (fake.data / "mine/file").read_text() == "x\n"
    points = engine.docker.api("GET", f"/containers/{made}/json")[1]["Mounts"]
    assert {(point["Type"], point["Driver"], point["Mode"]) for point in points} == {("volume", "fake", "")}
    assert engine.docker.api("GET", "/info")[1]["Plugins"]["Volume"] == ["fake", "local"]
    assert engine.docker.api("GET", "/volumes/mine")[1]["Status"] == {"mood": "fine"}
    engine.docker.ok(f"rm -f -v {made}")
    waited(lambda: engine.docker.ok("volume ls -q") == "mine")
    engine.docker.ok("volume rm mine")
    assert not (fake.data / "mine").exists()


def test_it_hangs(cast: tuple[RunningEngine, FakePlugin]) -> None:
    engine, fake = cast
    docker = engine.docker
    docker.ok("volume create -d fake slow")
    docker.ok(f"create --name slow -v slow:/data {IMAGE} sleep 1000")
    fake.mood("hang Mount,List")
    hanging = docker.start("start slow")
    waited(lambda: fake.calls("Mount"))
    began = time.monotonic()
    docker.ok(f"run --rm -v plain:/data {IMAGE} true")
    assert time.monotonic() - began < 9
    began = time.monotonic()
    assert {row["Names"][0] for row in docker.api("GET", "/containers/json?all=1")[1]} == {"/slow"}
    assert docker.api("GET", "/containers/slow/json")[1]["State"]["Status"] == "created"
    listed = docker.api("GET", "/volumes")[1]
    assert {one["Name"] for one in listed["Volumes"]} == {"slow", "plain"}
    assert listed["Warnings"][0].startswith("list fake: ")
    assert time.monotonic() - began < 9
    _, said = hanging.communicate(timeout=40)
    assert b"error while mounting volume" in said
    assert b"context deadline exceeded after 10 s" in said
    fake.mood("")
    docker.ok("start slow")
    docker.ok("rm -f slow")
    docker.ok("volume rm slow plain")


def test_unmounted_again_after_a_crash_in_the_middle(cast: tuple[RunningEngine, FakePlugin]) -> None:
    engine, fake = cast
    docker = engine.docker
    docker.ok("volume create -d fake torn")
    made = docker.ok(f"create --name torn -v torn:/data {IMAGE} sleep 1000")
    survivor = docker.ok(f"run -d --name survivor -v torn:/data {IMAGE} sleep 1000")
    before = len(fake.calls("Mount"))
    fake.mood("hang Mount")
    hanging = docker.start("start torn")
    waited(lambda: len(fake.calls("Mount")) > before)
    engine.kill9()
    hanging.communicate(timeout=40)
    fake.mood("")
    engine.start()
    waited(lambda: f"Unmount torn {mount_id(made)[:12]}" in fake.calls("Unmount"))
    assert f"Unmount torn {mount_id(survivor)[:12]}" not in fake.calls("Unmount")
    docker.ok("exec survivor ls /data")
    docker.ok("start torn")
    docker.ok("rm -f torn survivor")
    docker.ok("volume rm torn")


@pytest.mark.parametrize(
    ("mood", "words"),
    [("garbage", "the plugin's answer is no JSON"), ("relative", "no absolute Mountpoint"), ("error", "dog ate it")],
)
def test_it_lies(cast: tuple[RunningEngine, FakePlugin], mood: str, words: str) -> None:
    engine, fake = cast
    engine.docker.ok(f"create --name lied -v lies:/data --volume-driver fake {IMAGE} true")
    fake.mood(f"{mood} Mount")
    assert words in engine.docker("start lied").err
    fake.mood("")
    engine.docker.ok("start lied")
    engine.docker.ok("wait lied")
    engine.docker.ok("rm lied")
    engine.docker.ok("volume rm lies")


def test_files_of_a_stopped_container(cast: tuple[RunningEngine, FakePlugin], tmp_path: Path) -> None:
    engine, fake = cast
    engine.docker.ok(f"create --name idle -v files:/data --volume-driver fake {IMAGE} true")
    (tmp_path / "f").write_text("hello")
    engine.docker.ok(f"cp {tmp_path}/f idle:/data/f")
    assert (fake.data / "files/f").read_text() == "hello"
    taken = subprocess.run(
        [engine.docker.program, "cp", "idle:/data/f", "-"], env=engine.docker.env, capture_output=True, check=True
    )
    assert b"hello" in taken.stdout
    assert len(fake.calls("Mount")) == len(fake.calls("Unmount"))
    engine.docker.ok("rm idle")
    engine.docker.ok("volume rm files")
