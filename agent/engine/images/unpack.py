"""Fill a folder from an archive that nobody has vouched for.

The work is done by a child process (``images/untar``) that is shut into the folder. Used for layers, for an archive put
into a container, and for archives that a build adds. How to use it::

    done = await unpack(fd, folder)                                   # a layer: whiteouts become overlay's marks
    done = await unpack(fd, rootfs, folder="/srv", whiteouts=False)   # files into a folder of a file system
    done = await unpack(fd, "/", folder="/srv", whiteouts=False, pid=PID)   # … of a running container, volumes and all

``fd`` is read from where it stands to its end: a file, a pipe, a socket. An async iterable of chunks will do as well.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import agent
from agent.engine.errors import EngineError, Invalid, NoSpace, System

_PROJECT = str(Path(agent.__file__).parent.parent)


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one archive; whatever it is packed with, unpacking stops there."""

    bytes: int = 20 << 30
    """Unpacked size. Larger than any honest layer."""
    entries: int = 1_000_000
    header: int = 1 << 20
    """A single PAX or long-name header."""
    floor: int = 5
    """Percent of the disk that stay free: a full disk harms every container."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out: digest of the plain tar (a layer's diff id), bytes in files, number of entries."""

    digest: str
    size: int
    entries: int


async def unpack(
    source: "int | AsyncIterable[bytes]",
    root: "Path | str",
    *,
    folder: str = "/",
    whiteouts: bool = True,
    marks_as_files: bool = False,
    keep_folders: bool = False,
    owner: tuple[int, int] | None = None,
    pid: int = 0,
    limits: Limits = Limits(),
    more: int = -1,
) -> Unpacked:
    """Unpack a tar, plain or packed with gzip, zstd, xz or bzip2.

    Args:
        source: descriptor to read from, which stays open; or chunks as they arrive, e.g. a request's body.
        root: becomes the child's root: absolute links in the archive and in the tree lead there.
        folder: where below the root; must be there.
        whiteouts: ``.wh.`` names are marks of a layer, not files.
        marks_as_files: keep those marks as files, see ``storage/marks.py``.
        keep_folders: refuse to replace a folder by a file or a file by a folder.
        owner: uid and gid for everything, in place of the archive's.
        pid: enter this process's mount namespace; ``root`` is then that namespace's root.
        limits: see ``Limits``.
        more: descriptor of a pipe, for a file that grows: at the file's end a byte of the pipe says that there is
            more, the pipe's end that there is not.

    Raises:
        Invalid: the archive is malformed, hostile or too large. What it had made by then is left to the caller.
        NoSpace: the disk is full, or would be.
        System: the kernel refused.
    """
    options = {
        "root": str(root),
        "folder": folder,
        "whiteouts": whiteouts,
        "marks_as_files": marks_as_files,
        "keep_folders": keep_folders,
        "owner": owner,
        "pid": pid,
        "bytes": limits.bytes,
        "entries": limits.entries,
        "header": limits.header,
        "floor": limits.floor,
        "more": more,
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-s", "-B", "-m", "agent.engine.images.untar", json.dumps(options)),
        stdin=source if isinstance(source, int) else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(more,) if more >= 0 else (),
        env={"PYTHONPATH": _PROJECT, "LC_ALL": "C.UTF-8", "PATH": os.defpath},
    )
    pump = None if isinstance(source, int) else asyncio.create_task(_pump(source, child))
    try:
        # Not communicate(): that closes a standard input which the pump still feeds.
        assert child.stdout is not None and child.stderr is not None  # noqa: PT018
        out, err, _ = await asyncio.gather(child.stdout.read(), child.stderr.read(), child.wait())
    except BaseException:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    finally:
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])
    if pump is not None and not pump.cancelled() and (broken := pump.exception()) is not None:
        raise broken
    if child.returncode or not out:
        raise System(f"unpacking failed ({child.returncode}): {err.decode(errors='replace').strip()[-500:]}")
    answer = json.loads(out)
    if "error" in answer:
        raise refusal(answer["error"], answer["message"])
    return Unpacked(answer["digest"], answer["size"], answer["entries"])


async def _pump(chunks: AsyncIterable[bytes], child: asyncio.subprocess.Process) -> None:
    """Feed the child; a source that breaks ends the child too."""
    pipe = child.stdin
    assert pipe is not None
    try:
        async for chunk in chunks:
            pipe.write(chunk)
            await pipe.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the child has refused the archive, and says why
    except Exception:
        with suppress(ProcessLookupError):
            child.kill()
        raise
    finally:
        pipe.close()


def refusal(kind: str, message: str) -> EngineError:
    """What the child found wrong, as an error: ``full``, ``kernel``, or a fault of the archive."""
    if kind == "full":
        return NoSpace(f"unpacking: {message}; free space on the data root's disk")
    if kind == "kernel":
        return System(f"unpacking: {message}")
    return Invalid(message)
