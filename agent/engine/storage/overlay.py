"""overlayfs mounts, made from short relative names.

mount(2) takes one page of options, and fsconfig(2) no value above 255 bytes, so many layers fit only as short names
relative to the data root. The working directory belongs to the process, so mounts are made by one thread that has
unshared it. Relative names also keep a comma or colon in the data root's path out of the options.
"""

import asyncio
import errno
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agent.engine.errors import Invalid, System
from agent.engine.kernel import idmounts, mounts
from agent.engine.kernel.syscalls import CLONE_FS, mount, unshare
from agent.engine.storage.faults import kernel_errors

PAGE = 4096
# Overlay moves a renamed directory by a note to itself; a layer must hold the files instead.
_FIXED = "redirect_dir=off,metacopy=off,index=off"


class Overlay:
    """Mounts whose paths are relative to the layers' directory."""

    def __init__(self, root: Path, owner: tuple[int, int] | None = None) -> None:
        """
        Args:
            root: the layers' directory, or its view with other ids.
            owner: in such a view, who root is there: overlay makes its own files as him.
        """
        self._root, self._owner = root, owner
        self._worker = ThreadPoolExecutor(1, "overlay", initializer=self._enter)

    def _enter(self) -> None:
        unshare(CLONE_FS)
        os.chdir(self._root)
        if self._owner is not None:
            idmounts.make_files_as(*self._owner)

    async def mount(self, lowers: Sequence[str], upper: str, work: str, target: str, *, volatile: bool = False) -> None:
        """Mount lowers (topmost first) under upper at target.

        Raises:
            Invalid: more layers than one mount takes.
            System: the kernel refused, as it does for an upper directory on overlayfs.
        """
        options = f"lowerdir={':'.join(lowers)},upperdir={upper},workdir={work},{_FIXED}" + (
            ",volatile" if volatile else ""
        )
        if len(options) >= PAGE:
            raise Invalid(f"max depth exceeded: {len(lowers)} layers")
        await asyncio.get_running_loop().run_in_executor(self._worker, _mount, target, options)

    def close(self) -> None:
        """End the thread."""
        self._worker.shutdown()


def _mount(target: str, options: str) -> None:
    try:
        with kernel_errors("mounting a container's file system"):
            mount("overlay", target, "overlay", 0, options)
    except System as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.EINVAL:
            raise System(f"{error}: the data root must not lie on overlayfs or a file system without d_type") from cause
        raise


def unmount(target: Path) -> None:
    """Unmount; nothing mounted there is fine. Blocking: without ``volatile`` the file system below is synced."""
    try:
        mounts.unmount(target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        mounts.unmount(target, lazy=True)


def mounted(target: Path) -> bool:
    """A file system is mounted exactly here."""
    try:
        return target.stat().st_dev != target.parent.stat().st_dev
    except FileNotFoundError:
        return False
