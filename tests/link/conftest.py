"""One control plane a session, and one host on the peer's dockerd; tests that kill have their own."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.launch.purge import purge_agent
from tests.busybox import import_into
from tests.link.stack import Stack, wait_for
from tests.netns import Namespace
from tests.peer import dockerd


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A short path, since sockets lie below it."""
    path = Path(tempfile.mkdtemp(prefix="lnk-", dir="/var/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def engine(scratch: Path) -> Iterator[str]:
    """An engine with the image `lnk-busybox`."""
    (scratch / "peer").mkdir()
    with dockerd(scratch / "peer") as socket:
        import_into(socket, "lnk-busybox:1")
        yield socket


@pytest.fixture(scope="session")
def stack(scratch: Path) -> Iterator[Stack]:
    made = Stack(scratch / "cp")
    made.root.mkdir()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def host(stack: Stack, engine: str) -> str:
    """A host that is online."""
    done = stack.enrol("web-1")
    assert done.returncode == 0, done.stderr
    stack.link("web-1", engine)
    stack.online("web-1")
    return "web-1"


@pytest.fixture
def own(scratch: Path) -> Iterator[Stack]:
    """A control plane to be killed, with worker and beat."""
    made = Stack(scratch / f"k{uuid.uuid4().hex[:4]}")
    made.root.mkdir()
    made.start()
    made.worker.start()
    made.beat.start()
    yield made
    made.stop()


@pytest.fixture
def own_engine(own: Stack) -> Iterator[str]:
    """An agent with our own engine, as host `h`."""
    namespace = Namespace(f"ls-lnk-{uuid.uuid4().hex[:6]}")
    assert own.enrol("h").returncode == 0
    own.agent("h", str(namespace.path))
    socket = own.state("h") / "docker.sock"
    try:
        wait_for(socket.exists, 40, lambda: own.agents["h"].text)
        own.online("h", 30)
        import_into(f"unix://{socket}", "lnk-busybox:1")
        yield f"unix://{socket}"
    finally:
        own.agents["h"].stop()
        purge_agent(own.state("h"))
        namespace.remove()


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"lnk-{uuid.uuid4().hex[:10]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes are started for a test, of which the first also waits for what all share."""
    for item in items:
        if "tests/link" in str(item.path) and not any(item.iter_markers("timeout")):
            item.add_marker(pytest.mark.timeout(300))
