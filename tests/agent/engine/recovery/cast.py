"""An engine that a test makes fail, with two containers that must not notice, and a look at all that it may leave."""

import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent.engine.config import EngineConfig
from agent.engine.kernel import cgroups
from agent.engine.paths import Paths
from tests.agent.engine.cli.docker import Docker
from tests.agent.engine.conftest import RunningEngine, running_engine

COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"
STEADY = ("steady-one", "steady-two")
READY = float(os.environ.get("LONGSHORE_TEST_READY", "60"))
"""Seconds that a start of the engine may take here; the promise is 5, on a machine that has time."""
PATIENCE = 40.0


class _Http(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def send(docker: Docker, method: str, path: str, body: bytes | dict[str, Any] | None = None) -> tuple[int, str]:
    """Status and text of one request; 0 where the engine died before it had answered."""
    connection = _Http(docker.socket)
    kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    try:
        connection.request(method, path, data, {"Content-Type": kind} if data else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def failed(answer: tuple[int, str]) -> bool:
    """The request was not done; streams tell it in a line of theirs."""
    return answer[0] >= 400 or answer[0] == 0 or '"errorDetail"' in answer[1]


class Victim:
    """One engine, its failpoint and its steady containers."""

    def __init__(self, engine: RunningEngine, armed: Path) -> None:
        self.engine, self.armed, self.docker = engine, armed, engine.docker
        self.config = EngineConfig(root=engine.data, socket=engine.socket)
        self.paths = Paths.of(self.config)
        self.steady: dict[str, tuple[int, str]] = {}
        self.slowest = 0.0

    def begin(self) -> None:
        """Start the steady containers: one with a port on the default network, one with a volume on another."""
        self.docker.ok(f'run -d --name steady-one -p 127.0.0.1:8088:80 busy sh -c "{COUNT}"')
        self.docker.ok("network create steady-net")
        self.docker.ok(f'run -d --name steady-two --network steady-net -v steady-data:/data busy sh -c "{COUNT}"')
        self.know()

    def know(self) -> None:
        """Remember the steady containers as they are."""
        self.steady = {name: self.life(name) for name in STEADY}

    def life(self, name: str) -> tuple[int, str]:
        """Pid and start time of a container's run."""
        state = self.docker.api("GET", f"/containers/{name}/json")[1]["State"]
        return state["Pid"], state["StartedAt"]

    def arm(self, name: str, action: str) -> None:
        """Fail once at the place of that name."""
        temporary = self.armed.with_suffix(".new")
        temporary.write_text(f"{name}={action}")
        temporary.rename(self.armed)

    def reached(self) -> bool:
        """The armed place was passed."""
        return not self.armed.exists()

    def start(self) -> float:
        """Start the engine; the seconds until it answered."""
        began = time.monotonic()
        self.engine.start()
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        assert took < READY
        return took

    def died(self) -> None:
        """Wait until the engine has killed itself."""
        process = self.engine.process
        assert process is not None
        assert process.wait(PATIENCE) == -signal.SIGKILL
        self.engine.process = None

    def stopped(self) -> None:
        """Wait until the engine has stopped itself."""
        process = self.engine.process
        assert process is not None
        ends = time.monotonic() + PATIENCE
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < ends, "the engine did not stop itself"
            time.sleep(0.005)

    # -- what must hold ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """I1 to I9, once what goes on in the background has come to its end."""
        for name, life in self.steady.items():
            assert self.life(name) == life, "I1: a steady container was touched"
        self.settle()
        rows = self.docker.api("GET", "/containers/json?all=1")[1]
        for row in rows:
            assert row["State"] in {"created", "running", "paused", "exited"}, f"I2: {row}"
            code, found = self.docker.api("GET", f"/containers/{row['Id']}/json")
            assert code == 200
            if row["State"] in {"running", "paused"}:
                frozen = cgroups.frozen(cgroups.detect(), f"{self.config.cgroup}/{row['Id']}")
                assert frozen == (row["State"] == "paused"), "I2: frozen, and nobody knows"
                assert Path(f"/proc/{found['State']['Pid']}").exists(), f"I2: {found['State']}"
            if row["State"] == "exited":
                assert found["State"]["ExitCode"] in {0, 137, 143, 255}, f"I3: {found['State']}"
        for image in self.docker.api("GET", "/images/json?all=1")[1]:
            assert self.docker.api("GET", f"/images/{image['Id']}/history")[0] == 200, f"I2: {image}"
        self.files()
        for name in self.steady:
            lines = [int(line) for line in self.docker.ok(f"logs {name}").split()]
            assert lines == list(range(len(lines))), f"I9: {name}"

    def settle(self) -> None:
        """Wait until the kernel and the disk hold what the lists say, and nothing else (I4, I5, I6, I7)."""
        ends = time.monotonic() + PATIENCE
        while (found := self.found()) != (expected := self.expected()):
            if time.monotonic() > ends:
                wrong = {key: (found[key], expected[key]) for key in found if found[key] != expected[key]}
                raise AssertionError(f"(found, expected): {wrong}\n{self.engine.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def found(self) -> dict[str, Any]:
        """What is there."""
        hierarchy, paths = cgroups.detect(), self.paths
        mounts = Path("/proc/self/mountinfo").read_text()
        return {
            "mounts": sorted(re.findall(rf" {self.engine.data}/snapshots/(\w+)/merged ", mounts)),
            "namespaces": names(paths.namespaces),
            "bundles": names(paths.bundles),
            "runtime": names(paths.runtime),
            "cgroups": sorted(cgroups.children(hierarchy, self.config.cgroup) - {"conmon"}),
            "conmons": sorted(cgroups.children(hierarchy, f"{self.config.cgroup}/conmon")),
            "execs": names(paths.execs),
            "links": len(self.engine.namespace.ip("-o", "link", "show", "type", "veth").splitlines()),
            "bridges": self.bridges(),
            "rules": self.rules(),
            "journal": self.journal(),
            "layers of containers": names(paths.snapshots),
            "files of containers": names(paths.containers),
            "volumes": names(paths.volumes),
            "ingest": names(paths.content / "ingest"),
            "tmp": sorted(set(names(paths.tmp)) - {"layers"}) + names(paths.tmp / "layers"),
            "trash": names(paths.root / "trash"),
        }

    def expected(self) -> dict[str, Any]:
        """What the lists say should be there."""
        rows = self.docker.api("GET", "/containers/json?all=1")[1]
        every = sorted(row["Id"] for row in rows)
        alive = [row for row in rows if row["State"] in {"running", "paused"}]
        running = sorted(row["Id"] for row in alive)
        ends = sum(len(row["NetworkSettings"]["Networks"]) for row in alive)
        ports = sorted({port["PublicPort"] for row in rows for port in row["Ports"] if "PublicPort" in port})
        volumes = self.docker.api("GET", "/volumes")[1]["Volumes"] or []
        networks = [row for row in self.docker.api("GET", "/networks")[1] if row["Driver"] == "bridge"]
        links = {f"br-{row['Id'][:12]}" for row in networks if row["Name"] != "bridge"}
        return {
            "mounts": running,
            "namespaces": running,
            "bundles": running,
            "runtime": running,
            "cgroups": running,
            "conmons": running,
            "execs": [],
            "links": ends,
            # A network's link is made when it is first needed.
            "bridges": sorted(links & set(self.bridges())),
            "rules": (ends, ports),
            "journal": [],
            "layers of containers": every,
            "files of containers": every,
            "volumes": sorted(row["Name"] for row in volumes),
            "ingest": [],
            "tmp": [],
            "trash": [],
        }

    def bridges(self) -> list[str]:
        """Links of users' networks."""
        shown = self.engine.namespace.ip("-o", "link", "show", "type", "bridge")
        return sorted(re.findall(r"\b(br-[0-9a-f]{12}):", shown))

    def rules(self) -> tuple[int, list[int]]:
        """How many links are guarded, and the published ports, both by nftables."""
        with self.engine.namespace.entered():
            guard = os.popen(f"nft list set bridge longshore-{self.config.key} links 2>/dev/null").read()
            ports = os.popen(f"nft list table inet longshore-{self.config.key} 2>/dev/null").read()
        return guard.count('"') // 2, sorted({int(port) for port in re.findall(r"tcp \. (\d+) :", ports)})

    def journal(self) -> list[str]:
        """Operations that are not done."""
        with contextlib.closing(sqlite3.connect(f"file:{self.paths.database}?mode=ro", uri=True)) as connection:
            return [row[0] for row in connection.execute("SELECT operation FROM journal")]

    def files(self) -> None:
        """I7 and I8: every blob is what its name says, every document is whole, the database is sound."""
        for blob in (self.paths.content / "blobs/sha256").iterdir():
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name, f"I7: {blob}"
        for document in self.paths.containers.rglob("*.json"):
            json.loads(document.read_text())
        with contextlib.closing(sqlite3.connect(f"file:{self.paths.database}?mode=ro", uri=True)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), "I8"


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


@contextlib.contextmanager
def victim(*options: str) -> Iterator[Victim]:
    """An engine to be made to fail; nothing of it is left."""
    place = Path(os.environ.get("LONGSHORE_TEST_TMP", "/tmp"))
    armed = Path("/tmp") / f"ls-failpoint.{os.getpid()}.{place.name}"
    os.environ["LONGSHORE_FAILPOINT"] = str(armed)
    try:
        with running_engine(*options) as engine:
            one = Victim(engine, armed)
            one.begin()
            yield one
    finally:
        del os.environ["LONGSHORE_FAILPOINT"]
        armed.unlink(missing_ok=True)


def soon(test: Callable[[], Any]) -> Any:
    """Wait until the test gives something true, and give it."""
    ends = time.monotonic() + PATIENCE
    while not (found := test()):
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.03)
    return found
