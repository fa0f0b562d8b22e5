"""Unpack standard input: ``python -m agent.engine.images.untar OPTIONS``, with options and answer in JSON.

Before the first byte is read, the process has namespaces of its own for mounts and network, and the folder is its root:
there is no path to anything else. Its memory is capped, and it dies with the engine.
"""

import errno
import json
import os
import resource
import signal
import sys
import traceback
from typing import Any

from agent.engine.images.untar.entries import Tree
from agent.engine.images.untar.headers import FILES, Headers
from agent.engine.images.untar.tape import BadArchive, Tape, TooLarge
from agent.engine.kernel import syscalls
from agent.engine.storage.compression import CorruptStream, inflated

_MEMORY = 1 << 30
_CHECK_EVERY = 64 << 20


def main() -> None:
    """Read options, unpack, print one line of JSON."""
    options: dict[str, Any] = json.loads(sys.argv[1])
    syscalls.set_parent_death_signal(signal.SIGKILL)
    try:
        _enter(options["root"], options["pid"])
    except OSError as error:
        found = {"error": "kernel", "message": _brief(error)}
    else:
        found = answer(options, 0)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    # At once: the thread that inflates may be in the middle of an archive that was refused.
    os._exit(0)


def answer(options: dict[str, Any], source: int) -> dict[str, Any]:
    """Unpack what an open file holds, below this process's root; what came out, or what was wrong.

    Args:
        options: as ``unpack`` gives them.
        source: the file, pipe or socket.
    """
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0)
    try:
        return _unpack(options, source)
    except TooLarge as error:
        return {"error": "large", "message": str(error)}
    except (BadArchive, CorruptStream) as error:
        return {"error": "bad", "message": str(error)}
    except MemoryError:
        return {"error": "large", "message": f"unpacking the archive needs more than {_MEMORY} bytes of memory"}
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        named = error.errno in {errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EILSEQ}
        return {"error": "full" if full else "bad" if named else "kernel", "message": _brief(error)}
    except Exception:
        return {"error": "kernel", "message": traceback.format_exc(limit=-3)[-1000:]}


def _unpack(options: dict[str, Any], descriptor: int) -> dict[str, Any]:
    root = syscalls.openat2(
        os.open("/", os.O_PATH | os.O_DIRECTORY),
        options["folder"],
        os.O_RDONLY | os.O_DIRECTORY,
        resolve=syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS,
    )
    read = _Source(descriptor, options.get("more", -1)).read
    tape = Tape(inflated(read), options["bytes"], hashed=options["whiteouts"])
    tree = Tree(
        root,
        name=options["folder"],
        whiteouts=options["whiteouts"],
        keep_folders=options["keep_folders"],
        owner=tuple(options["owner"]) if options["owner"] else None,
        marks_as_files=options.get("marks_as_files", False),
    )
    entries = size = unchecked = 0
    _check_floor(root, options["floor"])
    for entry in Headers(tape, options["header"]):
        entries += 1
        if entries > options["entries"]:
            raise TooLarge(f"the layer has more than {options['entries']} entries")
        if entry.kind in FILES:
            size += entry.size
            unchecked += entry.size
            if size > options["bytes"]:
                raise TooLarge(f"the layer is larger than {options['bytes']} bytes unpacked")
            if unchecked > _CHECK_EVERY:
                unchecked = 0
                _check_floor(root, options["floor"])
        tree.add(tape, entry)
    tree.finish()
    return {"digest": tape.digest(), "size": size, "entries": entries}


class _Source:
    """A file, pipe or socket; or a file that grows, with a pipe that tells of it."""

    def __init__(self, descriptor: int, more: int) -> None:
        self._descriptor, self._more = descriptor, more

    def read(self, size: int, /) -> bytes:
        """What there is, up to a size; nothing at the end."""
        while not (data := os.read(self._descriptor, size)) and self._more >= 0:
            if not os.read(self._more, 4096):
                # The file is whole. What came with the last word is still to be read.
                self._more = -1
        return data


def _enter(root: str, pid: int) -> None:
    """Make the folder the root of all that this process can name."""
    if pid:
        fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
        _no_more_imports()
        syscalls.setns(fd, syscalls.CLONE_NEWNS)
        os.close(fd)
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    if pid:
        return
    syscalls.mount(root, root, None, syscalls.MS_BIND | syscalls.MS_REC)
    _no_more_imports()
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount(".", syscalls.MNT_DETACH)
    os.chdir("/")


def _no_more_imports() -> None:
    """From here on names lead into the container: nothing of Python's may be loaded from there."""
    sys.path.clear()
    sys.meta_path.clear()
    sys.path_importer_cache.clear()


def _check_floor(root: int, percent: int) -> None:
    disk = os.fstatvfs(root)
    if percent and disk.f_bavail * 100 < disk.f_blocks * percent:
        raise OSError(errno.ENOSPC, f"less than {percent} % of the disk is free")


def _brief(error: OSError) -> str:
    name = error.filename
    text = os.fsdecode(name) if isinstance(name, bytes) else str(name or "")
    return f"{error.strerror}: {text[:300]}" if text else str(error.strerror)


if __name__ == "__main__":
    main()
