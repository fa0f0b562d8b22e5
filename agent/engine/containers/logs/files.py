"""The files of one log, read as one that may grow.

conmon writes ``<id>-json.log``; rotation renames it to ``.1``, ``.2`` … and conmon opens a new one. Older ones may be
packed, as ``.2.gz``. A reader keeps its file open and goes from file to file, so that a rotation under its eyes neither
loses nor repeats a line. It knows a file again by its inode and its first record's time (an inode alone is soon that of
another file); a packed one bears both in its name.
"""

import gzip
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from agent.streams import ctrlog, tail

BLOCK = 256 * 1024
_NAME_FLAG = 8
_HELD = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log; 0 is the newest."""

    number: int
    path: Path
    packed: bool


def found(path: Path) -> list[LogFile]:
    """The files of a log, the newest first. A file that is there both ways is taken as it was written."""
    pattern = re.compile(rf"{re.escape(path.name)}(?:\.(\d+)(\.gz)?)?")
    files: dict[int, LogFile] = {}
    with suppress(FileNotFoundError):
        for entry in path.parent.iterdir():
            match = pattern.fullmatch(entry.name)
            if match is not None:
                number, packed = int(match[1] or 0), match[2] is not None
                if number not in files or not packed:
                    files[number] = LogFile(number, entry, packed)
    return [files[number] for number in sorted(files)]


def _named(inode: int, head: bytes) -> int:
    digest = hashlib.blake2b(b"%d %s" % (inode, head[: ctrlog.STAMP]), digest_size=8).digest()
    return int.from_bytes(digest, "big") if len(head) >= ctrlog.STAMP else 0


def identity(file: LogFile) -> int:
    """What a file is known by; 0 while it holds nothing, and once it is gone."""
    try:
        with file.path.open("rb") as content:
            head = content.read(64)
            if not file.packed:
                return _named(os.fstat(content.fileno()).st_ino, head)
    except FileNotFoundError:
        return 0
    name = head[10:].partition(b"\0")[0] if len(head) > 10 and head[3] & _NAME_FLAG else b""
    return int(name) if name.isdigit() else 0


def pack(file: LogFile) -> None:
    """Put a packed file in the place of one that nobody writes to any more."""
    packed = file.path.with_name(f"{file.path.name}.gz")
    temporary = file.path.with_name(f".{packed.name}")
    try:
        with file.path.open("rb") as source, temporary.open("wb") as target:
            os.fchmod(target.fileno(), 0o600)
            with gzip.GzipFile(filename=str(identity(file)), fileobj=target, mode="wb", compresslevel=4) as out:
                shutil.copyfileobj(source, out, BLOCK)
        temporary.replace(packed)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    file.path.unlink()


@contextmanager
def _unpacked(file: LogFile) -> Iterator[int]:
    """A packed file's content in one that has no name."""
    # A held file has no folder any more.
    with tempfile.TemporaryFile(dir=None if file.path.parent == _HELD else file.path.parent) as target:
        with gzip.open(file.path, "rb") as source:
            shutil.copyfileobj(source, target, BLOCK)
        target.flush()
        yield target.fileno()


class LogFiles:
    """One reader's place in a log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._inode = self._known = 0
        self._held: list[LogFile] | None = None

    @property
    def object(self) -> int:
        """Identity of the open file; 0 where none is open, or it holds nothing yet."""
        if not self._known and self._descriptor >= 0:
            self._known = _named(self._inode, self._read_at(0, ctrlog.STAMP))
        return self._known

    @property
    def directory(self) -> Path:
        """Where the files lie."""
        return self._path.parent

    @property
    def packed(self) -> bool:
        """There are packed files: seeking and reading may take long."""
        return any(file.packed for file in found(self._path))

    @property
    def offset(self) -> int:
        """Where in the open file the next byte is read."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR) if self._descriptor >= 0 else 0

    def hold(self) -> None:
        """Keep what there is, for a reader that has not come so far: nothing more will be written, and the names may go
        at any moment.
        """
        if self._held is not None:
            return
        self._held = []
        files = found(self._path)
        mine = next((file.number for file in files if self.is_at(file)), len(files))
        for file in files:
            if file.number < mine:
                with suppress(FileNotFoundError):
                    descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
                    held = _HELD / str(descriptor)
                    self._held.append(LogFile(file.number, held, file.packed))

    def close(self) -> None:
        """Let go of the files."""
        for file in self._held or ():
            os.close(int(file.path.name))
        self._held = []
        self._leave()

    def _leave(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            _readers[self._path].discard(self)
            if not _readers[self._path]:
                del _readers[self._path]

    def _open(self, file: LogFile, offset: int = 0) -> bool:
        inode, known = 0, 0
        try:
            if file.packed:
                known = identity(file)
                with _unpacked(file) as content:
                    descriptor = os.dup(content)
            else:
                descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
                inode = os.fstat(descriptor).st_ino
        except FileNotFoundError:
            return False
        self._leave()
        self._descriptor, self._inode, self._known = descriptor, inode, known
        _readers.setdefault(self._path, set()).add(self)
        os.lseek(descriptor, offset, os.SEEK_SET)
        return True

    def is_at(self, file: LogFile) -> bool:
        """It is the open one."""
        with suppress(FileNotFoundError):
            return self.object == identity(file) != 0 if file.packed else self._inode == file.path.stat().st_ino
        return False

    def _read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def _end(self) -> int:
        return os.fstat(self._descriptor).st_size

    def seek_end(self) -> None:
        """Begin behind all that is written by now."""
        files = found(self._path)
        if files and files[0].number == 0 and self._open(files[0]):
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def seek(self, object_: int, offset: int) -> bool:
        """Begin at a place that was noted down; False where that file is gone, and then at the oldest one."""
        return any(identity(file) == object_ and self._open(file, offset) for file in found(self._path))

    def seek_tail(self, lines: int) -> int:
        """Begin with the last lines, in older files if the newest has too few.

        Returns:
            How many lines that end behind that place are not among them.
        """
        files = found(self._path)
        for file in files:
            if not self._open(file):
                continue
            start = tail.start(self._read_at, self._end(), lines)
            lines = start.missing
            if lines == 0 or file is files[-1]:
                os.lseek(self._descriptor, start.offset, os.SEEK_SET)
                return start.skip
        return 0

    def seek_since(self, nanoseconds: int) -> None:
        """Begin shortly before the first record of that time, in the oldest file that has one."""
        stamp = ctrlog.stamp(nanoseconds)
        for file in found(self._path):
            if self._open(file):
                offset = tail.since(self._read_at, self._end(), stamp)
                os.lseek(self._descriptor, offset, os.SEEK_SET)
                if offset > 0:
                    return

    def left(self) -> int:
        """About how many bytes there are to read by now; more for packed files than they will give."""
        total = 0
        for file in found(self._path):
            with suppress(FileNotFoundError):
                size = file.path.stat().st_size
                total += size * 1032 if file.packed else size
            if self._descriptor >= 0 and self.is_at(file):
                return total
        return total

    def read(self) -> bytes:
        """The next bytes; empty at what is the end for now."""
        if self._descriptor < 0 and not self._go_on(self._oldest()):
            return b""
        while not (data := os.read(self._descriptor, BLOCK)):
            newer = self._newer()
            if newer is None:
                return b""
            # The old file's writer has left it; what it wrote before that may have come since our last look.
            if data := os.read(self._descriptor, BLOCK):
                return data
            if not self._go_on(newer):
                return b""
        return data

    def _go_on(self, file: LogFile | None) -> bool:
        """Open the next file; one that was held is let go of."""
        opened = file is not None and self._open(file)
        if self._held:
            os.close(int(self._held.pop().path.name))
        return opened

    def _oldest(self) -> LogFile | None:
        files = self._held if self._held is not None else found(self._path)
        return files[-1] if files else None

    def _newer(self) -> LogFile | None:
        """The file that follows the open one; None where the open one is the newest."""
        if self._held is not None:
            return self._oldest()
        if self.is_at(LogFile(0, self._path, packed=False)):
            return None
        files = found(self._path)
        if not files or files[0].number:
            return None  # renamed away and not yet made anew: the writer still has the old one
        for newer, file in pairwise(files):
            if self.is_at(file):
                return newer
        # Ours has been rotated away altogether: go on with the oldest that is left.
        return files[-1]


_readers: dict[Path, set[LogFiles]] = {}
"""Who reads now, by log."""


def is_wanted(path: Path, file: LogFile, files: Sequence[LogFile]) -> bool:
    """Somebody reads an older file, or one that has no name any more, and will come to this one."""
    newer = [other for other in files if other.number <= file.number]
    return any(not any(reader.is_at(other) for other in newer) for reader in _readers.get(path, ()))
