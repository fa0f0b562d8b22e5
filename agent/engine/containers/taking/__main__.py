"""``python -m agent.engine.containers.taking OPTIONS``: options and answer in JSON, a tar behind the answer.

Modes: ``stat`` and ``tar`` answer for one path; ``view`` makes a mount namespace in which a stopped container's root,
with its volumes, is the root, and keeps it until standard input ends, so that others may enter it.
"""

import json
import os
import signal
import stat
import sys
import time
from typing import Any

from agent.engine.containers.taking.tree import IN_ROOT, Writer, find, go_mode, names, resolved
from agent.engine.kernel import syscalls


def _say(answer: dict[str, Any]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _no_more_imports() -> None:
    """From here on names lead into the container: nothing of Python's may be loaded from there."""
    sys.path.clear()
    sys.meta_path.clear()
    sys.path_importer_cache.clear()


def enter(root: str, pid: int, binds: list[dict[str, Any]]) -> None:
    """Make the container's root the root of all that this process can name."""
    if pid:
        descriptor = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        _no_more_imports()
        syscalls.setns(descriptor, syscalls.CLONE_NEWNS)
        os.close(descriptor)
        return
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount(root, root, None, syscalls.MS_BIND | syscalls.MS_REC)
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for bind in binds:
        # The place is opened beneath the root and mounted by descriptor: a link there cannot lead to the host.
        place = syscalls.openat2(base, bind["destination"].strip("/"), os.O_PATH, resolve=IN_ROOT)
        target = f"/proc/self/fd/{place}"
        syscalls.mount(bind["source"], target, None, syscalls.MS_BIND | syscalls.MS_REC)
        os.close(place)
    os.close(base)
    _no_more_imports()
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount(".", syscalls.MNT_DETACH)
    os.chdir("/")


def describe(root: int, path: str) -> dict[str, Any]:
    """Docker's ContainerPathStat."""
    descriptor, info = find(root, path)
    os.close(descriptor)
    seconds, rest = divmod(info.st_mtime_ns, 10**9)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return {
        "name": path.rstrip("/").rpartition("/")[2] or "/",
        "size": info.st_size,
        "mode": go_mode(info.st_mode),
        "mtime": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z",
        "linkTarget": resolved(root, path) if stat.S_ISLNK(info.st_mode) else "",
    }


def write(root: int, path: str, name: str) -> None:
    """The path as a tar on standard output.

    Args:
        root: the container's.
        path: what is wanted.
        name: how its entries begin; empty: without any folder of their own.
    """
    descriptor, info = find(root, path)
    with os.fdopen(1, "wb", closefd=False) as out:
        writer = Writer(out)
        if stat.S_ISDIR(info.st_mode):
            inner = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
            if name:
                writer.add(inner, ".", name)
            else:
                for entry in names(inner):
                    writer.add(inner, entry, entry)
        else:
            folder, _, base = path.rstrip("/").rpartition("/")
            parent = syscalls.openat2(root, folder.strip("/") or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=IN_ROOT)
            writer.add(parent, base, name)
        writer.close()


def main() -> int:
    """Do what the options say."""
    options: dict[str, Any] = json.loads(sys.argv[1])
    syscalls.set_parent_death_signal(signal.SIGKILL)
    try:
        enter(options["root"], options["pid"], options["binds"])
        if options["mode"] == "view":
            _say({"ready": True})
            while os.read(0, 4096):
                pass
            return 0
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _say(describe(root, options["path"]))
        if options["mode"] == "tar":
            write(root, options["path"], options["name"])
    except OSError as error:
        _say({"error": error.errno, "message": f"{error.strerror}: {error.filename}"})
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
