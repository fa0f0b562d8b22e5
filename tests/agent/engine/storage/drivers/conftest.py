"""Engines whose data root lies on a real overlayfs, where the kernel's overlayfs cannot be."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine, running_engine
from tests.agent.engine.storage.drivers.remains import leftovers

DRIVERS = ("fuse-overlayfs", "vfs")


@pytest.fixture(scope="module")
def on_overlay() -> Iterator[Path]:
    """A folder on overlayfs, where engines of this module have their data roots."""
    base = Path(tempfile.mkdtemp(prefix="ls-over."))
    for name in ("lower", "upper", "work", "merged"):
        (base / name).mkdir()
    merged = base / "merged"
    options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGSHORE_TEST_TMP", str(merged))
        yield merged
    # A helper of the last engine may still be on its way out.
    assert until(lambda: subprocess.run(["umount", merged], check=False).returncode == 0)
    subprocess.run(["rm", "-rf", base], check=True)


@pytest.fixture(scope="module", params=DRIVERS)
def there(on_overlay: Path, request: pytest.FixtureRequest) -> Iterator[RunningEngine]:
    """An engine with each of the drivers."""
    with running_engine("--storage-driver", request.param) as engine:
        yield engine
        engine.docker.clean()
        assert until(lambda: not leftovers(engine)), leftovers(engine)


@pytest.fixture
def engine(there: RunningEngine) -> Iterator[RunningEngine]:
    """That engine, cleaned after the test."""
    yield there
    there.docker.clean()
