"""fuse-overlayfs: an overlay by a process of its own, where the kernel's refuses the file system.

One process serves one file system, and ends when its last mount is gone. It has a session of its own and a cgroup that
no service manager stops, so it outlives the engine; where it dies, only its container's files are gone, until that is
started again. Its options name folders relative to that of the layers, so that no path can break them.
"""

import asyncio
import errno
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from agent.engine.errors import System
from agent.engine.kernel import mounts
from agent.engine.storage import overlay
from agent.engine.storage.drivers.base import Scratch
from agent.engine.storage.drivers.stacked import Stacked
from agent.engine.storage.faults import kernel_errors
from agent.engine.storage.marks import FILES

PROGRAM = "fuse-overlayfs"
DEVICE = Path("/dev/fuse")
PATIENCE = 20.0
"""Seconds until a file system must be there, or a process must have ended."""
_STEP = 0.002
_LOG = "fuse.log"
_ORIGIN = "user.fuseoverlayfs.origin"

Place = Callable[[int], None]
"""Takes a process out of the reach of whoever stops the engine."""


class FuseOverlay(Stacked):
    """See ``Driver``."""

    name = "fuse-overlayfs"
    marks = FILES
    mappable = False
    limits = False

    def __init__(self, layers: Path, place: Place) -> None:
        super().__init__(layers)
        self._place = place
        self._processes: dict[Path, subprocess.Popen[bytes]] = {}

    def mounted(self, target: Path) -> bool:
        """See ``Driver``."""
        try:
            return overlay.mounted(target)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            self.unmount(target)
            return False

    async def mount(
        self,
        path: Path,
        lowers: Sequence[str],
        target: Path | None,
        *,
        volatile: bool,
        mapped: bool,
    ) -> None:
        """See ``Driver``.

        Raises:
            System: the program refused, in its words.
        """
        await asyncio.to_thread(self._mount, path, lowers)

    def _mount(self, path: Path, lowers: Sequence[str]) -> None:
        own, merged = os.path.relpath(path, self._layers), path / "merged"
        options = f"lowerdir={':'.join(lowers)},upperdir={own}/upper,workdir={own}/work"
        with (path / _LOG).open("wb") as log, kernel_errors("mounting a container's file system"):
            process = subprocess.Popen(
                [PROGRAM, "-f", "-o", options, str(merged)], cwd=self._layers, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._processes[merged] = process
        try:
            self._place(process.pid)
            deadline = time.monotonic() + PATIENCE
            while not overlay.mounted(merged):
                if process.poll() is not None or time.monotonic() > deadline:
                    said = (path / _LOG).read_text(errors="replace").strip()[-300:]
                    raise System(f"mounting a container's file system: {PROGRAM}: {said or 'it does not answer'}")
                time.sleep(_STEP)
        except BaseException:
            process.kill()
            self.unmount(merged)
            raise

    def unmount(self, target: Path) -> None:
        """See ``Driver``. Its process is waited for, unless another engine began it or somebody still holds it."""
        overlay.unmount(target)
        process = self._processes.pop(target, None)
        if process is not None:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def map(self, root: Path, owner: tuple[int, int]) -> None:
        """See ``Driver``: it has no other ids."""

    def layer(self, path: Path, lowers: Sequence[str], scratch: Scratch, *, move: bool) -> Path:
        """See ``Driver``. Its notes of where a file came from go: they would lead elsewhere in another stack."""
        folder = super().layer(path, lowers, scratch, move=move)
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                with suppress(OSError):
                    os.removexattr(f"{parent}/{name}", _ORIGIN, follow_symlinks=False)
        return folder

    def close(self) -> None:
        """See ``Driver``: the processes stay."""


def missing() -> str:
    """What it needs and this host has not; empty for nothing."""
    if shutil.which(PROGRAM) is None:
        return f"{PROGRAM} is not installed"
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{DEVICE}: {error.strerror}"
    return ""


def obstacle(folder: Path) -> str:
    """Why it cannot be used for layers below a folder; empty where it can. Tries it; blocking."""
    if why := missing():
        return why
    probe = Path(tempfile.mkdtemp(prefix=".fuse.", dir=folder))
    driver = FuseOverlay(probe, lambda _: None)
    path = probe / "one"
    try:
        (probe / "lower" / "gone").mkdir(parents=True)
        path.mkdir()
        driver.make(path, ())
        driver._mount(path, ["lower"])
        (path / "merged" / "gone").rmdir()
        works = FILES.hides(path / "upper", "gone") or (path / "upper" / "gone").exists()
    except (OSError, System) as error:
        return f"it does not work on {mounts.filesystem_of(folder)}: {error}"
    finally:
        with suppress(OSError):
            driver.unmount(path / "merged")
        shutil.rmtree(probe, ignore_errors=True)
    return "" if works else f"it cannot note what was removed on {mounts.filesystem_of(folder)}"
