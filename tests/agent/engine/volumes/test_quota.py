"""A volume that may grow to a size: on an ext4 with project quotas, where the kernel has them."""

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


def write(path: Path, size: float) -> str:
    """Write as a container's root would, without the capability that ext4's limits do not hold for; what went wrong."""
    done = subprocess.run(
        ["setpriv", "--bounding-set", "-sys_resource",
         "dd", "if=/dev/zero", f"of={path}", "bs=512k", f"count={int(size * 2)}", "status=none"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.stderr


@pytest.mark.quotas
async def test_it_works(disk: Path) -> None:
    for folder in ("volumes", "tmp"):
        (disk / folder).mkdir()
    assert quota.works(disk / "volumes")
    driver = LocalDriver(disk / "volumes", disk / "tmp")
    small = Path(await driver.create("small", {"size": "1m"}))
    large = Path(await driver.create("large", {}))
    (small / "folder").mkdir()
    assert "Disk quota exceeded" in write(small / "folder/file", 3)
    assert (small / "folder/file").stat().st_size <= 1 << 20
    assert write(large / "file", 3) == ""
    (small / "folder/file").unlink()
    assert write(small / "file", 0.5) == ""


async def test_without_quotas(tmp_path: Path) -> None:
    (tmp_path / "volumes").mkdir()
    driver = LocalDriver(tmp_path / "volumes", tmp_path)
    if quota.works(tmp_path):
        pytest.skip("this file system has project quotas")
    with pytest.raises(Invalid, match="quota size requested but no quota support"):
        await driver.create("data", {"size": "1m"})
