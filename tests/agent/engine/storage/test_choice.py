"""Which storage driver a data root gets, and that it keeps it."""

from pathlib import Path

import pytest

from agent.check import state
from agent.check.finding import Host
from agent.engine.errors import Invalid
from agent.engine.storage.drivers import choice, fuse
from tests.agent.engine.storage.drivers.conftest import on_overlay  # noqa: F401 (a fixture)


def test_the_best_that_works(tmp_path: Path) -> None:
    assert choice.chosen(tmp_path) == "overlay2"
    assert (tmp_path / choice.RECORD).read_text() == "overlay2\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [choice.RECORD]


def test_on_overlayfs(on_overlay: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:  # noqa: F811
    one, two, three = (on_overlay / name for name in ("one", "two", "three"))
    for root in (one, two, three):
        root.mkdir()
    assert choice.chosen(one) == "fuse-overlayfs"
    assert "overlayfs cannot be on overlay here" in caplog.text
    with pytest.raises(Invalid, match=r"overlay2 cannot be used for .+: overlayfs cannot be on overlay"):
        choice.chosen(two, "overlay2")
    check = next(found for found in state.storage(Host(), two) if found.name == "storage driver")
    assert (check.ok, check.needed) == (False, False)
    assert check.detail.startswith("fuse-overlayfs: overlayfs cannot be on overlay")
    assert "ext4" in check.cure
    monkeypatch.setattr(fuse, "PROGRAM", "no-such-program")
    assert choice.chosen(two) == "vfs"
    check = next(found for found in state.storage(Host(), three) if found.name == "storage driver")
    assert check.detail.endswith("no-such-program is not installed")
    assert "apt install fuse-overlayfs" in check.cure
    with pytest.raises(Invalid, match="was made by the storage driver fuse-overlayfs: no-such-program is not"):
        choice.chosen(one)
    assert [entry.name for entry in three.iterdir()] == []


def test_a_data_root_keeps_its_driver(tmp_path: Path) -> None:
    assert choice.chosen(tmp_path, "vfs") == "vfs"
    assert choice.chosen(tmp_path) == choice.chosen(tmp_path, "vfs") == "vfs"
    with pytest.raises(Invalid, match="made by the storage driver vfs: give --storage-driver vfs, or another --root"):
        choice.chosen(tmp_path, "overlay2")
    (tmp_path / choice.RECORD).write_text("zfs\n")
    with pytest.raises(Invalid, match="'zfs', which this engine has not"):
        choice.chosen(tmp_path)


def test_a_data_root_from_before(tmp_path: Path) -> None:
    (tmp_path / "engine.db").touch()
    with pytest.raises(Invalid, match="made by the storage driver overlay2"):
        choice.chosen(tmp_path, "vfs")
    assert choice.chosen(tmp_path) == "overlay2"
