"""A real plugin of others: ``rclone serve docker`` on a local remote, mounted by FUSE, with the engine over it."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.engine.conftest import IMAGE, RunningEngine, running_engine

pytestmark = pytest.mark.skipif(
    shutil.which("rclone") is None or not Path("/dev/fuse").exists(), reason="needs rclone and FUSE"
)


class Rclone:
    """The plugin's process and what it keeps."""

    def __init__(self, home: Path, plugins: Path) -> None:
        self.home, self.socket = home, plugins / "rclone.sock"
        self.remote, self.base = home / "remote", home / "mounts"
        for directory in (plugins, self.remote, self.base):
            directory.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for its socket."""
        self.socket.unlink(missing_ok=True)
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["rclone", "serve", "docker", "--socket-addr", str(self.socket), "--base-dir", str(self.base),
                 "--cache-dir", str(self.home / "cache"), "--config", str(self.home / "rclone.conf"),
                 "--dir-cache-time", "0s"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        ends = time.monotonic() + 30
        while not self.socket.exists():
            assert self._process.poll() is None, (self.home / "log").read_text()
            assert time.monotonic() < ends
            time.sleep(0.05)

    def forget(self) -> None:
        """Drop its state: one that was killed with mounts does not get past restoring them (rclone 1.60)."""
        (self.home / "cache/docker-plugin.state").unlink()

    def end(self, *, kill: bool = False) -> None:
        """SIGTERM, or SIGKILL, which leaves its mounts behind, dead."""
        if self._process is not None:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(30)
            self._process = None

    def unmount(self) -> None:
        """Take away what a killed one left."""
        for line in Path("/proc/mounts").read_text().splitlines():
            if (target := line.split()[1]).startswith(str(self.home)):
                subprocess.run(["umount", "-l", target], check=False)


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningEngine, Rclone]]:
    home = tmp_path_factory.mktemp("rclone")
    rclone = Rclone(home, home / "plugins")
    with contextlib.ExitStack() as undo:
        undo.callback(rclone.unmount)
        undo.callback(rclone.end)
        rclone.start()
        with running_engine("--plugin-directory", str(home / "plugins")) as engine:
            yield engine, rclone


def make(engine: RunningEngine, rclone: Rclone, name: str) -> None:
    (rclone.remote / name).mkdir(exist_ok=True)
    engine.docker.ok(f"volume create -d rclone -o remote=:local:{rclone.remote / name} {name}")


def test_it_works(cast: tuple[RunningEngine, Rclone]) -> None:
    engine, rclone = cast
    docker = engine.docker
    make(engine, rclone, "shared")
    for name in ("one", "two"):
        docker.ok(f"run -d --name {name} -v shared:/data {IMAGE} sleep 1000")
    docker.ok("exec one sh -c 'echo written > /data/file'")
    assert docker.ok("exec two cat /data/file") == "written"
    assert "fuse.rclone" in Path("/proc/mounts").read_text()
    assert "rclone" in docker.ok("volume ls")
    assert "in use" in docker("volume rm shared").err
    docker.ok("stop -t 0 one")
    assert docker.ok("exec two cat /data/file") == "written"
    engine.restart()
    assert docker.ok("exec two cat /data/file") == "written"
    docker.ok("stop -t 0 two")
    assert str(rclone.base) not in Path("/proc/mounts").read_text()
    rclone.end()
    rclone.start()
    docker.ok("start one")
    assert docker.ok("exec one cat /data/file") == "written"
    docker.ok("rm -f one two")
    docker.ok("volume rm shared")
    assert "shared" not in docker.ok("volume ls -q")
    assert (rclone.remote / "shared/file").read_text() == "written\n"


def test_killed_in_the_middle(cast: tuple[RunningEngine, Rclone]) -> None:
    engine, rclone = cast
    docker = engine.docker
    make(engine, rclone, "fragile")
    docker.ok(f"run -d --name user -v fragile:/data {IMAGE} sleep 1000")
    docker.ok(f"run -d --name other -v plain:/data {IMAGE} sleep 1000")
    rclone.end(kill=True)
    began = time.monotonic()
    assert docker("exec user ls /data").code != 0
    docker.ok("exec other sh -c 'echo fine > /data/file'")
    assert docker.ok(f"run --rm -v plain:/data {IMAGE} cat /data/file") == "fine"
    assert {"user", "other"} <= set(docker.ok("ps --format {{.Names}}").split())
    assert time.monotonic() - began < 20
    refused = docker(f"run --rm -v fragile:/data {IMAGE} true")
    assert refused.code == 125
    assert "rclone.sock: connect: connection refused" in refused.err
    docker.ok("rm -f user")
    rclone.unmount()
    rclone.forget()
    rclone.start()
    make(engine, rclone, "fragile")
    docker.ok(f"run --rm -v fragile:/data {IMAGE} sh -c 'echo again > /data/file'")
    assert (rclone.remote / "fragile/file").read_text() == "again\n"
    docker.ok("rm -f other")
    docker.ok("volume rm fragile plain")
