"""A real engine in a network namespace of its own, with the busybox image, for every test that wants one.

One engine a test session (``shared_engine``) keeps tests fast; ``engine`` gives it and takes away what the test has
left. A test that kills engines takes ``own_engine``: nobody else's is touched.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.config import EngineConfig
from scripts.launch.purge import purge_engine
from tests.agent.engine.cli.docker import NEW, OLD, Docker
from tests.busybox import import_into
from tests.netns import Namespace

IMAGE = "busy:latest"
REPOSITORY = Path(__file__).resolve().parents[3]


class RunningEngine:
    """One engine process, its root and its namespace."""

    def __init__(self, root: Path, namespace: Namespace, *options: str) -> None:
        self.root, self.namespace, self.options = root, namespace, options
        self.data, self.socket = root / "data", root / "docker.sock"
        self.log = root / "engine.log"
        self.code = REPOSITORY
        """Where the engine's code lies."""
        self.process: subprocess.Popen[bytes] | None = None
        self.docker = Docker(NEW if Path(NEW).exists() else OLD, self.socket, root / "cli")

    @property
    def host(self) -> str:
        """As in DOCKER_HOST."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start the process and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agent", "engine", "--root", str(self.data), "--socket", str(self.socket),
                 "--netns", str(self.namespace.path), *self.options],
                cwd=self.code, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        ends = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError):
                if self.docker.api("GET", "/_ping")[0] == 200:
                    return
            if self.process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(self.log.read_text()[-3000:])
            time.sleep(0.05)

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def stop(self) -> None:
        """SIGTERM: containers run on."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """SIGKILL: containers run on all the same."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()


@contextlib.contextmanager
def running_engine(*options: str) -> Iterator[RunningEngine]:
    """An engine with the busybox image; afterwards nothing of it is left."""
    root = Path(tempfile.mkdtemp(prefix="ls-engine.", dir=os.environ.get("LONGSHORE_TEST_TMP", "/tmp")))
    namespace = Namespace(f"ls-t{secrets.token_hex(3)}")
    engine = RunningEngine(root, namespace, *options)
    with contextlib.ExitStack() as undo:
        # from the last to the first, each also where another fails
        undo.callback(shutil.rmtree, root, ignore_errors=True)
        undo.callback(purge_engine, EngineConfig(root=engine.data, socket=engine.socket), network=False)
        undo.callback(namespace.remove)
        undo.callback(engine.kill9)
        engine.start()
        import_into(engine.host, IMAGE)
        yield engine
        with contextlib.suppress(Exception):
            if engine.process is None:
                engine.start()
            engine.docker.clean()
        engine.stop()


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[RunningEngine]:
    """The engine of the session."""
    with running_engine() as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: RunningEngine) -> Iterator[RunningEngine]:
    """The session's engine, cleaned after the test."""
    yield shared_engine
    shared_engine.docker.clean()


@pytest.fixture
def own_engine() -> Iterator[RunningEngine]:
    """An engine that the test may kill."""
    with running_engine() as engine:
        yield engine
