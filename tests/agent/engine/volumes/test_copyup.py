import os
import stat
from pathlib import Path

import pytest

from tests.agent.engine.volumes.bench import Bench


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "rootfs"
    (made / "srv/data/sub").mkdir(parents=True)
    (made / "srv/data/file").write_text("text")
    (made / "srv/data/file").chmod(0o4755)
    os.chown(made / "srv/data/file", 1000, 1001)
    (made / "srv/data/file").chmod(0o4755)
    os.symlink("/etc/passwd", made / "srv/data/link")
    os.mkfifo(made / "srv/data/sub/fifo", 0o600)
    (made / "srv/data").chmod(0o1777)
    os.chown(made / "srv/data", 33, 33)
    return made


async def test_it_works(bench: Bench, root: Path) -> None:
    data = Path((await bench.service.create("data")).mountpoint)
    await bench.service.copy_up("data", root, "/srv/data")
    found = (data / "file").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1000, 1001, 0o4755)
    assert (data / "file").read_text() == "text"
    assert os.readlink(data / "link") == "/etc/passwd"
    assert stat.S_ISFIFO((data / "sub/fifo").stat().st_mode)
    assert (data.stat().st_uid, stat.S_IMODE(data.stat().st_mode)) == (33, 0o1777)


async def test_a_full_volume_keeps_its_own(bench: Bench, root: Path) -> None:
    data = Path((await bench.service.create("data")).mountpoint)
    (data / "mine").write_text("")
    await bench.service.copy_up("data", root, "/srv/data")
    assert [one.name for one in data.iterdir()] == ["mine"]


async def test_the_image_has_no_such_directory(bench: Bench, root: Path) -> None:
    data = Path((await bench.service.create("data")).mountpoint)
    await bench.service.copy_up("data", root, "/srv/nosuch")
    await bench.service.copy_up("data", root, "/srv/data/file")
    assert list(data.iterdir()) == []


async def test_a_link_does_not_lead_out_of_the_image(bench: Bench, root: Path) -> None:
    data = Path((await bench.service.create("data")).mountpoint)
    os.symlink("/etc", root / "srv/out")
    os.symlink("../../../../etc", root / "srv/up")
    (root / "etc").mkdir()
    (root / "etc/inside").write_text("")
    await bench.service.copy_up("data", root, "/srv/out")
    assert [one.name for one in data.iterdir()] == ["inside"]
    other = Path((await bench.service.create("other")).mountpoint)
    await bench.service.copy_up("other", root, "/srv/up")
    assert [one.name for one in other.iterdir()] == ["inside"]
