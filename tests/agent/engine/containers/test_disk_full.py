"""A full disk: clear errors, nothing half made, running containers unharmed, and removal still works."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine, running_engine


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    image, place = tmp_path_factory.mktemp("disk") / "image", tmp_path_factory.mktemp("small")
    subprocess.run(["truncate", "-s", "40M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    monkeypatch.setenv("LONGSHORE_TEST_TMP", str(place))
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def cramped(small_disk: Path) -> Iterator[RunningEngine]:
    with running_engine() as engine:
        yield engine


def fill(place: Path) -> Path:
    """Leave not a byte."""
    file = place / "filler"
    for size in ("1M", "4k", "1"):
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={file}", f"bs={size}", "oflag=append", "conv=notrunc"],
            capture_output=True,
            check=False,
        )
    assert shutil.disk_usage(place).free < 4096
    return file


def test_it_works(cramped: RunningEngine, small_disk: Path) -> None:
    docker = cramped.docker
    docker.ok("run -d --name on busy sleep 60")
    docker.ok("create --name old busy sleep 60")
    filler = fill(small_disk)
    code, answer = docker.api("POST", "/containers/create?name=new", {"Image": "busy", "Cmd": ["true"]})
    assert (code, "no space" in answer["message"].lower()) == (507, True)
    assert docker("inspect new").code != 0
    assert docker.ok("exec on echo hi") == "hi"
    assert docker("rm -f on").code == 0
    filler.unlink()
    until(lambda: docker("run --rm --name new busy true").code == 0)
    docker.ok("start old")
