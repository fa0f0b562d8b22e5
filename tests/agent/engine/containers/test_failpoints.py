"""Kill the engine at every step of a container's life: afterwards things are whole, or not there at all."""

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.config import EngineConfig
from agent.engine.kernel import cgroups
from agent.engine.kernel.failpoints import NAMES
from agent.engine.paths import Paths
from tests.agent.engine.cli.docker import Docker, until
from tests.agent.engine.conftest import RunningEngine, running_engine


@pytest.fixture(scope="module")
def victim() -> Iterator[RunningEngine]:
    with running_engine() as engine:
        yield engine


def remains(engine: RunningEngine) -> dict[str, list[str]]:
    """What running containers, and nothing else, may have."""
    config = EngineConfig(root=engine.data, socket=engine.socket)
    paths = Paths.of(config)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    links = engine.namespace.ip("-o", "link", "show", "type", "veth").splitlines()
    return {
        "mounts": [line.split(" ")[4] for line in mounts if f" {engine.data}/snapshots/" in line],
        "namespaces": [entry.name for entry in paths.namespaces.iterdir()],
        "bundles": [entry.name for entry in paths.bundles.iterdir()],
        "runtime": [entry.name for entry in paths.runtime.iterdir()],
        "cgroups": sorted(cgroups.children(cgroups.detect(), config.cgroup) - {"conmon"}),
        "links": links,
        "journal": journal(paths.database),
    }


def journal(path: Path) -> list[str]:
    """Operations that are not done."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute("SELECT operation FROM journal")]


def life(docker: Docker) -> None:
    """create, start, stop, remove; whatever is left of them when the engine dies on the way."""
    docker("create --name aa -v /data busy sh -c 'echo up; exec sleep 60'", timeout=10)
    docker("start aa", timeout=10)
    docker("stop -t 0 aa", timeout=10)
    docker("rm -v aa", timeout=10)


def again(engine: RunningEngine, environment: str) -> None:
    os.environ["LONGSHORE_FAILPOINT"] = environment
    try:
        engine.start()
    finally:
        del os.environ["LONGSHORE_FAILPOINT"]


@pytest.mark.parametrize("name", [n for part in ("create", "start", "stop", "remove") for n in NAMES[part]])
def test_whole_or_not_there(victim: RunningEngine, name: str) -> None:
    docker = victim.docker
    victim.kill9()
    again(victim, name)
    assert victim.process is not None
    life(docker)
    assert victim.process.wait(10) == -signal.SIGKILL, f"{name} was never reached"
    began = time.monotonic()
    victim.start()
    assert time.monotonic() - began < 5
    rows = docker.api("GET", "/containers/json?all=1")[1]
    for row in rows:
        assert row["State"] in {"created", "running", "exited"}
        state = docker.inspect("aa")["State"]
        if row["State"] == "running":
            assert Path(f"/proc/{state['Pid']}").exists()
        elif row["State"] == "exited":
            assert state["ExitCode"] in {137, 143}
    running = [row["Id"] for row in rows if row["State"] == "running"]
    found = until_settled(victim, len(running))
    assert found["runtime"] == found["bundles"] == found["cgroups"] == running
    if rows:
        if not running:
            docker.ok("start aa")
        until(lambda: "up" in docker.ok("logs aa"))
        docker.ok("rm -f -v aa")
    docker.ok("run --name aa busy true")
    docker.ok("rm aa")
    until(lambda: not any(remains(victim).values()))
    assert docker.api("GET", "/volumes")[1]["Volumes"] == []


def until_settled(engine: RunningEngine, running: int) -> dict[str, list[str]]:
    """The remains, once those of ended runs have been taken away."""
    until(lambda: len(remains(engine)["mounts"]) == len(remains(engine)["links"]) == running)
    return remains(engine)
