"""A power cut: the disk as it was at that moment, and nothing of what ran.

The data root lies on ext4 in a loop file. The engine stops itself at a failpoint; the file, which holds only what has
reached the block device, is copied; then everything is killed and taken away, and the copy is mounted in its place.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts.launch.purge import purge_engine
from tests.agent.engine.recovery.cast import Victim, victim
from tests.netns import Namespace

MIB = 1 << 20


class Disk:
    """An ext4 file system in a loop file, mounted."""

    def __init__(self, folder: Path, size: int, files: int) -> None:
        self.folder, self.place = folder, folder / "d"
        self.image = folder / "disk"
        self.place.mkdir(parents=True)
        self.image.touch()
        os.truncate(self.image, size)
        _run("mkfs.ext4", "-q", "-m", "0", "-I", "256", "-N", str(files), self.image)
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", self.image, self.place)

    def unmount(self) -> None:
        done = subprocess.run(["umount", self.place], capture_output=True, check=False)
        if done.returncode:
            _run("umount", "-l", self.place)

    def fail(self) -> None:
        """An error of the disk: the kernel lets nobody write any more."""
        found = subprocess.run(["findmnt", "-no", "SOURCE", self.place], capture_output=True, text=True, check=True)
        device = Path(found.stdout.strip()).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("by a test")

    def cut(self) -> Path:
        """A copy of what the disk holds now."""
        copy = self.folder / f"cut-{secrets.token_hex(3)}"
        _run("cp", "--sparse=always", self.image, copy)
        return copy

    def become(self, copy: Path) -> None:
        """Mount a copy in the place of what was there, repaired as at a boot."""
        self.unmount()
        self.image.unlink()
        copy.rename(self.image)
        done = subprocess.run(["e2fsck", "-fy", self.image], capture_output=True, text=True, check=False)
        assert done.returncode in {0, 1}, done.stdout
        self.mount()

    def close(self) -> None:
        self.unmount()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def disk(size: int = 192 * MIB, files: int = 20_000) -> Iterator[Disk]:
    """A disk of so many bytes and files, whose ``place`` is where engines of tests put their roots meanwhile."""
    before = os.environ.get("LONGSHORE_TEST_TMP")
    one = Disk(Path("/tmp") / f"ls-disk.{secrets.token_hex(3)}", size, files)
    os.environ["LONGSHORE_TEST_TMP"] = str(one.place)
    try:
        yield one
    finally:
        if before is None:
            del os.environ["LONGSHORE_TEST_TMP"]
        else:
            os.environ["LONGSHORE_TEST_TMP"] = before
        one.close()


@contextlib.contextmanager
def victim_on(one: Disk) -> Iterator[Victim]:
    """An engine with its root on the disk."""
    assert os.environ["LONGSHORE_TEST_TMP"] == str(one.place)
    with victim() as made:
        yield made


def power_cut(one: Victim, on: Disk) -> None:
    """Cut the power of an engine that has stopped itself, and boot."""
    copy = on.cut()
    one.engine.kill9()
    purge_engine(one.config, network=False)
    on.become(copy)
    one.engine.namespace.remove()
    one.engine.namespace = Namespace(f"ls-t{secrets.token_hex(3)}")


def _run(*argv: "str | Path") -> None:
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv}: {done.stderr or done.stdout}")
