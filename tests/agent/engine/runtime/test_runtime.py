"""One suite for every runtime: the real one under conmon, and its double."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.engine.kernel import cgroups
from agent.engine.runtime.base import ExecSpec, Launch, Runtime, RuntimeRefused, spoken
from agent.engine.runtime.conmon import Conmon
from agent.engine.runtime.crun import Crun, choose, warnings
from agent.engine.runtime.exits import Exits
from agent.engine.runtime.fake import FakeRuntime


@dataclass
class Bench:
    """A runtime and what a launch needs."""

    runtime: Runtime
    root: Path
    launch: Callable[..., Launch]
    real: bool


@pytest.fixture(params=["fake", "real"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    root = Path(tempfile.mkdtemp(prefix="ls-runtime.", dir="/tmp"))
    rootfs = root / "rootfs"
    (rootfs / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", rootfs / "bin/busybox")
    for applet in ("sh", "true", "sleep", "echo", "cat"):
        (rootfs / "bin" / applet).symlink_to("busybox")
    group = f"/ls-test-{secrets.token_hex(4)}"
    made: list[str] = []

    def launch(*args: str, **options: Any) -> Launch:
        id_ = secrets.token_hex(32)
        made.append(id_)
        document = subprocess.run(["crun", "spec"], cwd=root, check=True) and json.loads(
            (root / "config.json").read_text()
        )
        (root / "config.json").unlink()
        document["root"] = {"path": str(rootfs), "readonly": False}
        document["process"] |= {"args": list(args), "terminal": False}
        document["process"].pop("rlimits", None)
        document["linux"]["cgroupsPath"] = f"{group}/{id_}"
        return Launch(
            id=id_, name="aa", spec=document, bundle=root / "bundle" / id_, log_path=root / f"{id_}.log",
            exit_dir=root / "exit" / id_, **options,
        )  # fmt: skip

    real = request.param == "real"
    hierarchy = cgroups.detect()
    runtime: Runtime = Crun(choose("", hierarchy), root / "state", Conmon(lambda *_: None)) if real else FakeRuntime()
    yield Bench(runtime, root, launch, real)
    for id_ in made:
        with contextlib.suppress(RuntimeRefused):
            await runtime.delete(id_)
    cgroups.remove(hierarchy, group, patience=3)
    shutil.rmtree(root)


async def test_it_works(bench: Bench) -> None:
    launch = bench.launch("sleep", "60")
    await bench.runtime.create(launch)
    await bench.runtime.start(launch.id)
    await bench.runtime.pause(launch.id)
    await bench.runtime.resume(launch.id)
    await bench.runtime.update(launch.id, {"pids": {"limit": 50}})
    await bench.runtime.delete(launch.id)
    await bench.runtime.delete(launch.id)


async def test_twice_the_same_id(bench: Bench) -> None:
    launch = bench.launch("sleep", "60")
    await bench.runtime.create(launch)
    with pytest.raises(RuntimeRefused, match="exist"):
        await bench.runtime.create(launch)


async def test_start_of_nothing(bench: Bench) -> None:
    with pytest.raises(RuntimeRefused):
        await bench.runtime.start("ab" * 32)


@pytest.mark.parametrize("bench", ["real"], indirect=True)
async def test_the_program_waits_for_start_and_its_end_is_told(bench: Bench) -> None:
    launch, exits = bench.launch("sh", "-c", "echo hi; exit 7"), Exits()
    processes = await bench.runtime.create(launch)
    end = exits.watch(launch.id, processes, launch.exit_dir / launch.id, launch.bundle)
    assert launch.log_path.read_text() == ""
    await bench.runtime.start(launch.id)
    found = await end
    assert (found.code, found.oom_killed) == (7, False)
    assert launch.log_path.read_text().endswith(" stdout F hi\n")
    assert (launch.exit_dir / launch.id).stat().st_mtime_ns == found.finished_ns


@pytest.mark.parametrize("bench", ["real"], indirect=True)
async def test_no_such_program(bench: Bench) -> None:
    with pytest.raises(RuntimeRefused, match="nosuch"):
        await bench.runtime.create(bench.launch("nosuch"))


@pytest.mark.parametrize("bench", ["real"], indirect=True)
async def test_a_killed_conmon_does_not_hide_the_end(bench: Bench) -> None:
    launch, exits = bench.launch("sleep", "60"), Exits()
    processes = await bench.runtime.create(launch)
    end = exits.watch(launch.id, processes, launch.exit_dir / launch.id, launch.bundle)
    await bench.runtime.start(launch.id)
    os.kill(processes.conmon_pid, signal.SIGKILL)
    os.kill(processes.pid, signal.SIGKILL)
    found = await end
    assert found.code in {137, 255}


def test_the_last_word_of_a_runtime() -> None:
    assert spoken('{"msg":"first"}\n{"msg":"last","level":"error"}\n') == "last"
    assert spoken("plain words\n") == "plain words"
    assert spoken("") == "no message"


@pytest.mark.parametrize("bench", ["real"], indirect=True)
async def test_a_detached_exec_that_ends_at_once(bench: Bench) -> None:
    launch, exits = bench.launch("sleep", "60"), Exits()
    await bench.runtime.create(launch)
    await bench.runtime.start(launch.id)
    for number in range(5):
        place = bench.root / f"exec{number}"
        place.mkdir()
        process = {**launch.spec["process"], "args": ["sh", "-c", f"exit {number}"]}
        (place / "process.json").write_text(json.dumps(process))
        spec = ExecSpec(launch.id, place / "process.json", place / "pid")
        processes = await bench.runtime.exec_detached(spec, place, place / "exit")
        end = await exits.watch(f"e{number}", processes, place / "exit" / launch.id, place)
        assert end.code == number


@pytest.mark.parametrize(
    ("name", "version", "warns"),
    [
        ("crun", "1.8.1", True),
        ("crun", "1.14.1", False),
        ("crun", "1.20", False),
        ("runc", "1.1.5+ds1", True),
        ("runc", "1.3.3", False),
        ("other", "0.1", False),
    ],
)
def test_v2_a_runtime_that_is_too_old(name: str, version: str, warns: bool) -> None:
    assert bool(warnings(name, version)) is warns
