"""The whole engine against a registry, a process of its own, that is all attacks: each pull ends soon, with words."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.engine.conftest import RunningEngine

HOST = Path("/etc/longshore-was-here")


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """Its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.agent.engine.images.hostile_registry"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[4],
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def resident(engine: RunningEngine) -> int:
    """The engine's own memory, in KiB."""
    assert engine.process is not None
    status = Path(f"/proc/{engine.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


REFUSED = {
    "u10-other-layer": "404",
    "u11-layers": "max depth exceeded",
    "u11-large": "more than",
    "u11-deep": "invalid image configuration",
    "r1-lie": "calls its manifest",
    "r2-endless": "larger than",
    "r2-packed": "packed blob",
    "r4-metadata": "not a public address",
    "r4-loop": "redirects",
    "r5-realm": "token server",
    "r5-metadata": "not a public address",
    "r7-both": "both",
    "r7-type": "refused",
    "r8-schema1": "schema 1",
    "r8-many": "more than 1000",
}


@pytest.mark.parametrize("name", REFUSED)
def test_U_and_R_refused(engine: RunningEngine, registry: str, name: str) -> None:
    before, started = resident(engine), time.monotonic()
    done = engine.docker(f"pull {registry}/{name}:1", timeout=60)
    assert done.code != 0
    assert REFUSED[name] in done.out + done.err
    assert time.monotonic() - started < 30
    assert resident(engine) - before < 64 << 10
    assert engine.docker.ok(f"images -q {registry}/{name}") == ""


def test_U2_stays_in_the_image(engine: RunningEngine, registry: str) -> None:
    engine.docker(f"pull {registry}/u2-link:1")
    assert not HOST.exists()


def test_U11_environment_without_values(engine: RunningEngine, registry: str) -> None:
    """dockerd takes such an image; the program sees what can be seen of it."""
    engine.docker.ok(f"pull {registry}/u11-env:1")
    done = engine.docker(f"run --rm {registry}/u11-env:1 /bin/f")
    assert done.code in {125, 126, 127}
    assert done.err
    assert engine.docker.api("GET", "/_ping")[0] == 200
