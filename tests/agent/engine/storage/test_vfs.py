"""Copies are whole, and what was changed in one is found."""

import errno
import os
import stat
from pathlib import Path

import pytest

from agent.engine.storage import copying
from agent.engine.storage.changes import Kind
from agent.engine.storage.drivers.vfs import Vfs

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
"""``cap_net_bind_service+ep``, as a file has it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A writable layer on one layer with all kinds of files."""
    layer = tmp_path / "layers" / "one"
    (layer / "d").mkdir(parents=True)
    (layer / "d/file").write_text("text")
    os.link(layer / "d/file", layer / "second")
    (layer / "setuid").write_text("x")
    os.chown(layer / "setuid", 5, 6)
    (layer / "setuid").chmod(0o4755)
    os.setxattr(layer / "setuid", "security.capability", CAPABILITY)
    os.setxattr(layer / "d", "user.note", b"kept")
    with (layer / "sparse").open("wb") as file:
        file.seek(64 << 20)
        file.write(b"end")
    (layer / "link").symlink_to("/etc/shadow")
    os.mknod(layer / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mkfifo(layer / "pipe")
    os.utime(layer / "d", ns=(1, 1_000_000_007))
    path = tmp_path / "snapshots" / "key"
    path.mkdir(parents=True)
    Vfs(tmp_path / "layers").make(path, ["one"])
    (path / "chain").symlink_to("x")
    return path


def differences(path: Path) -> list[tuple[str, Kind]]:
    return [tuple(change) for change in Vfs(path.parent.parent / "layers").changes(path, ["one"])]


def test_a_copy_is_whole(path: Path) -> None:
    tree, layer = path / "tree", path.parent.parent / "layers" / "one"
    assert differences(path) == []
    assert (tree / "d/file").samefile(tree / "second")
    assert not (tree / "d/file").samefile(layer / "d/file")
    info = (tree / "setuid").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (5, 6, 0o4755)
    assert os.getxattr(tree / "setuid", "security.capability") == CAPABILITY
    assert os.getxattr(tree / "d", "user.note") == b"kept"
    assert (tree / "d").stat().st_mtime_ns == 1_000_000_007
    sparse = (tree / "sparse").stat()
    assert sparse.st_size == (64 << 20) + 3
    assert sparse.st_blocks * 512 < 1 << 20
    assert (tree / "link").readlink() == Path("/etc/shadow")
    assert (tree / "null").lstat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISFIFO((tree / "pipe").lstat().st_mode)


def test_a_time_that_is_set_back_hides_nothing(path: Path) -> None:
    file = path / "tree" / "d" / "file"
    before = file.stat()
    file.write_text("TEXT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert differences(path) == [("/d", Kind.MODIFIED), ("/d/file", Kind.MODIFIED), ("/second", Kind.MODIFIED)]


def test_what_was_only_touched_is_as_it_was(path: Path) -> None:
    file = path / "tree" / "d" / "file"
    file.chmod(stat.S_IMODE(file.stat().st_mode))
    assert differences(path) == []
    os.setxattr(file, "user.new", b"1")
    assert ("/d/file", Kind.MODIFIED) in differences(path)


def test_changes(path: Path) -> None:
    tree = path / "tree"
    (tree / "second").unlink()
    (tree / "d/file").unlink()
    (tree / "d/file").mkdir()
    (tree / "d/file/in").write_text("12345")
    (tree / "pipe").chmod(0o600)
    assert differences(path) == [
        ("/d", Kind.MODIFIED), ("/d/file", Kind.MODIFIED), ("/d/file/in", Kind.ADDED), ("/pipe", Kind.MODIFIED),
        ("/second", Kind.DELETED),
    ]  # fmt: skip
    driver, folder = Vfs(path.parent.parent / "layers"), path.parent.parent / "new"
    folder.mkdir()
    assert not driver.clean(path, ["one"])
    assert driver.usage(path, ["one"]) == 5
    driver.layer(path, ["one"], lambda: folder, move=True)
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*")) == [
        ".wh.second", "d", "d/file", "d/file/in", "pipe",
    ]  # fmt: skip
    assert os.getxattr(folder / "d", "user.note") == b"kept"


@pytest.mark.parametrize("error", [errno.EXDEV, errno.EOPNOTSUPP])
def test_a_kernel_that_copies_no_ranges(path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def refused(*_: object) -> int:
        raise OSError(error, "refused")

    monkeypatch.setattr(os, "copy_file_range", refused)
    source, target = path / "tree" / "sparse", path / "copy"
    copying.copy(source, source.stat(), target, copying.Links())
    assert copying.same_content(source, target)
    assert target.stat().st_blocks * 512 < 1 << 20
