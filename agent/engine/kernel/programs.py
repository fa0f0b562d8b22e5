"""Programs of the host that the engine starts: which version is there, and a copy that nobody can write."""

import fcntl
import os
import re
import subprocess
from pathlib import Path

_ADD_SEALS, _ALL_SEALS = 1033, 0xF
_EXECUTABLE = 0x10
_PIECE = 1 << 20


def version(name: str) -> str:
    """The version that a program tells of itself; ``N/A`` where it is missing."""
    try:
        out = subprocess.run([name, "--version"], capture_output=True, text=True, check=False, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "N/A"
    found = re.search(r"\d+\.\d+[\w.+-]*", out)
    return found[0] if found else "N/A"


class Sealed:
    """A program in sealed memory, as runtimes copy themselves so that a container cannot overwrite them.

    Started from here a runtime finds itself sealed. Otherwise it first mounts a copy of itself, unmounts it and begins
    anew, at each call: a quarter of its time.
    """

    def __init__(self, program: Path, link: Path) -> None:
        """
        Args:
            program: the file.
            link: a name to give to whoever starts it; ours alone. Good while this process lives.
        """
        self._program, self._link = program, link
        self._descriptor = -1
        self._seen: tuple[int, int, int] | None = None
        self.refresh()

    @property
    def path(self) -> str:
        """What to start: the copy, or the program itself where none can be made."""
        return str(self._link if self.refresh() else self._program)

    def refresh(self) -> bool:
        """Copy the program where that was not yet done, or it was replaced since; whether there is a copy."""
        try:
            info = self._program.stat()
            seen = info.st_dev, info.st_ino, info.st_mtime_ns
            if seen != self._seen:
                self._copy()
                self._seen = seen
        except OSError:
            return False
        return True

    def _copy(self) -> None:
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        try:
            descriptor = os.memfd_create(self._link.name, flags | _EXECUTABLE)
        except OSError:
            descriptor = os.memfd_create(self._link.name, flags)
        try:
            with self._program.open("rb") as file:
                while os.sendfile(descriptor, file.fileno(), None, _PIECE):
                    pass
            os.fchmod(descriptor, 0o500)
            fcntl.fcntl(descriptor, _ADD_SEALS, _ALL_SEALS)
            self._link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(f"/proc/{os.getpid()}/fd/{descriptor}")
        except BaseException:
            os.close(descriptor)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor
