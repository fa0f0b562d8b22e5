"""Which logs are rotated, and how."""

import os
from pathlib import Path

import pytest

from agent.engine.containers import rotate
from agent.engine.errors import Invalid
from agent.engine.state.records import ContainerRecord


def record(path: Path, driver: str = "json-file", **options: str) -> ContainerRecord:
    given = {key.replace("_", "-"): value for key, value in options.items()}
    return ContainerRecord(
        id="a" * 64, name="aa", created_ns=1, path="", args=(), config={}, image_id="", image_ref="",
        host_config={"LogConfig": {"Type": driver, "Config": given}}, log_path=str(path),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"), [("10", 10), ("10k", 10240), ("1.5m", 1572864), ("1g", 1 << 30), ("2MB", 2 << 20)]
)
def test_sizes(text: str, value: int) -> None:
    assert rotate.size(text) == value


def test_no_size() -> None:
    with pytest.raises(Invalid, match="invalid size: 'much'"):
        rotate.size("much")


def test_limits(tmp_path: Path) -> None:
    assert rotate.limits(record(tmp_path)) is None
    assert rotate.limits(record(tmp_path, max_size="1k", max_file="3")) == (1024, 3)
    assert rotate.limits(record(tmp_path, max_size="-1")) is None
    assert rotate.limits(record(tmp_path, driver="none")) == (rotate.UNKEPT, 1)


def test_files_move_up_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for turn in range(5):
        path.write_text(str(turn))
        rotate.rotate(path, keep=3)
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {"log.1": "4", "log.2": "3"}


def test_conmon_is_told(tmp_path: Path) -> None:
    path, control = tmp_path / "log", tmp_path / "ctl"
    os.mkfifo(control)
    reader = os.open(control, os.O_RDONLY | os.O_NONBLOCK)
    rotator = rotate.Rotator(list, lambda _: control)
    path.write_text("x" * 99)
    assert not rotator.look(record(path, max_size="100"))
    path.write_text("x" * 100)
    assert rotator.look(record(path, max_size="100"))
    assert os.read(reader, 100) == b"2 0 0\n"
    assert not path.exists()
    assert not (tmp_path / "log.1").exists()
    os.close(reader)
