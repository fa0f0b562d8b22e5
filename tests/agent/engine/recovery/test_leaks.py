"""Containers come, run, are looked into and go: every count is what it was.

``LONGSHORE_TEST_CYCLES`` sets how many cycles of run, exec and rm (1,000 are promised); the counts are printed.
"""

import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent.engine.kernel import cgroups
from tests.agent.engine.conftest import RunningEngine
from tests.agent.engine.recovery.cast import Victim
from tests.agent.engine.recovery.operations import send
from tests.agent.engine.recovery.test_many import ask

CYCLES = int(os.environ.get("LONGSHORE_TEST_CYCLES", "12"))
AT_ONCE = 4
SETTLED = 30.0
MOST_THREADS = 40


def counts(engine: RunningEngine, victim: Victim) -> dict[str, Any]:
    """All that a container may leave in the engine, in the kernel and on the disk."""
    assert engine.process is not None
    proc = Path(f"/proc/{engine.process.pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    watches = 0
    for descriptor in (proc / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if "inotify" in os.readlink(descriptor):
                watches += (proc / "fdinfo" / descriptor.name).read_text().count("inotify wd")
    found = victim.found()
    hierarchy = cgroups.detect()
    return {
        "descriptors": len(list((proc / "fd").iterdir())),
        "threads": int(status["Threads"]),
        "children": sum(len(task.read_text().split()) for task in proc.glob("task/*/children")),
        "watches": watches,
        "groups": sum(len(cgroups.children(hierarchy, group)) for group in (victim.config.cgroup,)),
        "addresses": engine.namespace.ip("-o", "addr").count("inet "),
        "processes": len([one for one in Path("/proc").glob("[0-9]*") if mentions(one, str(victim.paths.run))]),
        **{name: len(value) if isinstance(value, list) else value for name, value in found.items()},
    }


def mentions(process: Path, text: str) -> bool:
    try:
        return text in (process / "cmdline").read_text()
    except (OSError, UnicodeDecodeError):
        return False


def cycle(engine: RunningEngine, number: int) -> None:
    """One life: with a port, a volume, an exec, a log reader; every third detached and removed by itself."""
    docker, name = engine.docker, f"c{number}"
    host = {"PortBindings": {"80/tcp": [{"HostPort": ""}]}, "AutoRemove": number % 3 == 0}
    body = {
        "Image": "busy",
        "Cmd": ["sh", "-c", "echo hi; exec sleep 100"],
        "Volumes": {"/data": {}},
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": host,
    }
    assert send(docker, "POST", f"/containers/create?name={name}", body)[0] == 201
    assert send(docker, "POST", f"/containers/{name}/start")[0] == 204
    for detach in (False, True):
        asked = {"Cmd": ["true"], "AttachStdout": not detach}
        code, made = ask(engine, "POST", f"/containers/{name}/exec", asked)
        assert code == 201
        assert send(docker, "POST", f"/exec/{made['Id']}/start", {"Detach": detach})[0] == 200
    assert send(docker, "GET", f"/containers/{name}/logs?stdout=1&tail=1")[0] == 200
    if number % 3 == 0:
        assert send(docker, "POST", f"/containers/{name}/kill")[0] == 204
    else:
        assert send(docker, "DELETE", f"/containers/{name}?force=1&v=1")[0] == 204


def run(engine: RunningEngine, numbers: range) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: cycle(engine, number), numbers))


@pytest.mark.timeout(900)
def test_every_count_is_at_its_base(own_engine: RunningEngine, tmp_path: Path) -> None:
    victim = Victim(own_engine, tmp_path / "never")
    # One that stays has a stand-in beside the engine, which else would come and go.
    own_engine.docker.ok("run -d --name stays -p 80 busy sleep 900")
    # The bridge is there: this engine needs no process to make links, which else would be gone before the end.
    own_engine.restart()
    # What is made once: worker threads, the compiled filter.
    run(own_engine, range(16))
    before = settled(own_engine, victim, None)
    began = time.monotonic()
    run(own_engine, range(100, 100 + CYCLES))
    took = time.monotonic() - began
    after = settled(own_engine, victim, before)
    print(f"\n{CYCLES} cycles in {took:.0f} s: {after}")
    # Workers are made as they are needed, up to a bound.
    assert after.pop("threads") <= MOST_THREADS
    before.pop("threads")
    assert after == before


def settled(engine: RunningEngine, victim: Victim, wanted: dict[str, Any] | None) -> dict[str, Any]:
    """The counts, once they are as wanted or, if nothing is wanted, change no more."""
    ends = time.monotonic() + SETTLED
    last: dict[str, Any] = {}
    while time.monotonic() < ends:
        found = counts(engine, victim)
        if {**found, "threads": 0} == {**(last if wanted is None else wanted), "threads": 0}:
            return found
        last = found
        time.sleep(1)
    return last
