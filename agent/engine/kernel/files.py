"""Files that survive a power cut, locks between processes, and opening beneath a root that we do not trust."""

import fcntl
import os
import shutil
from pathlib import Path

from agent.engine.errors import Conflict
from agent.engine.kernel import syscalls

IN_ROOT = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS


def sync_directory(directory: Path) -> None:
    """Make names in a directory durable: a rename is not, without this."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file whole: after a power cut it holds the old bytes or the new. Blocks for two syncs."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file whole, for readers of this boot only: no sync."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.chmod(mode)
    temporary.replace(path)


def lock(path: Path) -> int:
    """Own a file's lock until the process ends; gives the descriptor to keep.

    Raises:
        Conflict: another process has it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Conflict(f"another engine runs on {path.parent}") from error
    return descriptor


def remove_tree(path: Path) -> None:
    """Remove a directory and all in it; gone already is fine. Links are removed, never followed."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        path.unlink(missing_ok=True)


def open_beneath(root: Path, path: str, flags: int, mode: int = 0) -> int:
    """Open a path as a process rooted at ``root`` would see it: links and ``..`` cannot lead outside, magic links
    nowhere.
    """
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return syscalls.openat2(base, path.lstrip("/") or ".", flags, mode, IN_ROOT)
    finally:
        os.close(base)


def make_place(root: Path, path: str, *, directory: bool) -> None:
    """What something will be mounted on, where it is missing: a directory, or an empty file.

    Raises:
        OSError: a link that leads nowhere is in the way, or a part of the path is no directory.
    """
    try:
        os.close(open_beneath(root, path, os.O_PATH | os.O_CLOEXEC))
    except FileNotFoundError:
        if directory:
            make_beneath(root, path)
        else:
            make_beneath(root, path.rpartition("/")[0])
            os.close(open_beneath(root, path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def make_beneath(root: Path, path: str, mode: int = 0o755) -> None:
    """Make a directory, and those above it, as a process rooted at ``root`` would.

    Raises:
        OSError: a part of the path is no directory.
    """
    at = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        walked = ""
        for part in (part for part in path.split("/") if part not in {"", "."}):
            walked = f"{walked}/{part}"
            try:
                found = syscalls.openat2(at, walked.lstrip("/"), os.O_PATH | os.O_DIRECTORY, 0, IN_ROOT)
            except FileNotFoundError:
                parent = syscalls.openat2(
                    at, walked.rpartition("/")[0].lstrip("/") or ".", os.O_PATH | os.O_DIRECTORY, 0, IN_ROOT
                )
                try:
                    os.mkdir(part, mode, dir_fd=parent)
                finally:
                    os.close(parent)
            else:
                os.close(found)
    finally:
        os.close(at)
