"""The fleet that the end-to-end tests share: three hosts, one behind NAT, one on Debian's dockerd."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import busybox
from tests.lab import Lab
from tests.peer import dockerd


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder on a real filesystem: an upper directory on overlayfs is refused by the kernel."""
    path = Path(tempfile.mkdtemp(prefix="longshore-e2e.", dir="/var/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def peer(scratch: Path) -> Iterator[str]:
    """Debian's dockerd, as a DOCKER_HOST."""
    root = scratch / "peer"
    root.mkdir()
    with dockerd(root) as host:
        yield host


@pytest.fixture(scope="session")
def lab(scratch: Path, peer: str) -> Iterator[Lab]:
    """``web-1`` with our engine, ``edge-1`` with our engine behind NAT, ``old-1`` on dockerd; busybox on each."""
    lab = Lab(scratch / "lab")
    try:
        lab.start()
        lab.add_host("web-1")
        lab.add_host("edge-1", nat=True)
        lab.add_host("old-1", engine=peer)
        for host in lab.hosts.values():
            busybox.import_into(host.socket)
        yield lab
    finally:
        lab.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test also waits for the fleet; tests that say otherwise keep their own limit."""
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            if not any(item.iter_markers("timeout")):
                item.add_marker(pytest.mark.timeout(300))
