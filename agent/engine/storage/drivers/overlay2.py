"""The kernel's overlayfs: the fast way, and the one that is chosen wherever it works."""

import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agent.engine.kernel import mounts, syscalls
from agent.engine.storage import overlay
from agent.engine.storage.drivers.stacked import Stacked
from agent.engine.storage.marks import KERNEL, OPAQUE_XATTR


class Overlay2(Stacked):
    """See ``Driver``."""

    name = "overlay2"
    marks = KERNEL
    mappable = True
    limits = True

    def __init__(self, layers: Path) -> None:
        super().__init__(layers)
        self._overlay = overlay.Overlay(layers)
        self._mapped: overlay.Overlay | None = None

    def mounted(self, target: Path) -> bool:
        """See ``Driver``."""
        return overlay.mounted(target)

    async def mount(
        self, path: Path, lowers: Sequence[str], target: Path | None, *, volatile: bool, mapped: bool
    ) -> None:
        """See ``Driver``.

        Raises:
            Invalid: more layers than one mount takes.
            System: the kernel refused.
        """
        own = os.path.relpath(path, self._layers)
        # Overlay refuses a layer that was once mounted so; whoever mounts it again has accepted what may be lost.
        shutil.rmtree(path / "work" / "work" / "incompat", ignore_errors=True)
        uses = self._overlay
        if mapped:
            assert self._mapped is not None
            uses = self._mapped
        place = str(target) if target else f"{own}/merged"
        await uses.mount(lowers, f"{own}/upper", f"{own}/work", place, volatile=volatile)

    def unmount(self, target: Path) -> None:
        """See ``Driver``."""
        overlay.unmount(target)

    def map(self, root: Path, owner: tuple[int, int]) -> None:
        """See ``Driver``."""
        self._mapped = overlay.Overlay(root / "layers", owner)

    def close(self) -> None:
        """See ``Driver``."""
        self._overlay.close()
        if self._mapped is not None:
            self._mapped.close()


def obstacle(folder: Path) -> str:
    """Why layers below a folder cannot be stacked by the kernel; empty where they can. Tries it; blocking."""
    probe = Path(tempfile.mkdtemp(prefix=".overlay.", dir=folder))
    lower, upper, work, merged = (probe / name for name in ("lower", "upper", "work", "merged"))
    try:
        for one in (lower, upper, work, merged, lower / "gone"):
            one.mkdir()
        os.mknod(lower / "whiteout", stat.S_IFCHR)
        os.setxattr(lower / "gone", OPAQUE_XATTR, b"y")
        fd = os.open(probe, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            base = f"/proc/self/fd/{fd}"
            options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work,volatile"
            syscalls.mount("overlay", merged, "overlay", 0, options)
        finally:
            os.close(fd)
        (merged / "gone").rmdir()
        (merged / "gone").mkdir()
        works = KERNEL.is_opaque(upper / "gone")
    except OSError as error:
        kind = mounts.filesystem_of(folder)
        return f"overlayfs cannot be on {kind or 'this file system'} here ({error.strerror or error})"
    finally:
        with suppress(OSError):
            mounts.unmount(merged, lazy=True)
        shutil.rmtree(probe, ignore_errors=True)
    return "" if works else f"{mounts.filesystem_of(folder)} has not the attributes that overlayfs needs"
