"""A volume that may grow to a size: on an ext4 with project quotas, where the kernel has them."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.errors import Invalid
from agent.engine.kernel import quota
from agent.engine.volumes.local import LocalDriver


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    image, target = tmp_path / "image", tmp_path / "disk"
    target.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "quota,project", "-E", "quotatype=prjquota", image], check=True)
    mounted = subprocess.run(["mount", "-o", "loop,prjquota", image, target], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this kernel has no project quotas: {mounted.stderr.decode().strip()}")
    yield target
    subprocess.run(["umount", target], check=True)


async def test_it_works(disk: Path) -> None:
    for folder in ("volumes", "tmp"):
        (disk / folder).mkdir()
    assert quota.works(disk / "volumes")
    driver = LocalDriver(disk / "volumes", disk / "tmp")
    small = Path(await driver.create("small", {"size": "1m"}))
    large = Path(await driver.create("large", {}))
    (small / "folder").mkdir()
    with pytest.raises(OSError, match=r"quota|space") as failure:
        (small / "folder/file").write_bytes(b"x" * (3 << 20))
    assert failure.value.errno in {errno.EDQUOT, errno.ENOSPC}
    (large / "file").write_bytes(b"x" * (3 << 20))
    (small / "folder/file").unlink()
    (small / "file").write_bytes(b"x" * (512 << 10))


async def test_without_quotas(tmp_path: Path) -> None:
    (tmp_path / "volumes").mkdir()
    driver = LocalDriver(tmp_path / "volumes", tmp_path)
    if quota.works(tmp_path):
        pytest.skip("this file system has project quotas")
    with pytest.raises(Invalid, match="quota size requested but no quota support"):
        await driver.create("data", {"size": "1m"})
