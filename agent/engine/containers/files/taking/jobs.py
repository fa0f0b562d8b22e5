"""What a child does: stat a path, write it as a tar, or fill a folder from one. It says a line of JSON for each thing
that the engine has to know, and waits for a byte before a tar begins.
"""

import base64
import errno
import json
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

from agent.engine.containers.files.taking.out import Gone, Out
from agent.engine.containers.files.taking.tree import IN_ROOT, Apart, Writer, find, go_mode, names, resolved
from agent.engine.images.untar import __main__ as untar
from agent.engine.kernel import syscalls

Json = dict[str, Any]

SHORT = 2048
"""An archive of so many bytes at most is handed over whole, and not written."""
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV})


def work(options: Json, control: int, data: int) -> int:
    """Do one job; the process's exit code.

    Args:
        options: ``mode`` (``stat``, ``tar``, ``put``), ``root``, ``pid``, ``binds``, ``path``, and what the mode needs.
        control: the socket of this job.
        data: where a tar is read from, or written to.
    """

    def say(answer: Json) -> None:
        os.write(control, json.dumps(answer).encode() + b"\n")

    say({"pid": os.getpid()})
    try:
        if options["mode"] == "put":
            say(_put(options, data))
            return 0
        enter(options["root"], options["pid"], options["binds"], options.get("users", 0))
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        apart = Apart(root, devices=bool(options.get("devices")))
        described = describe(root, options["path"], apart)
        if options["mode"] == "stat":
            say(described)
            return 0

        def begin() -> None:
            say(described)
            if not os.read(control, 1):
                raise Gone

        out = Out(data, begin, chunked=options["chunked"], held=SHORT)
        write(root, options["path"], options["name"], out, apart)
        whole = out.finish()
        say({"done": True} if whole is None else {**described, "whole": base64.b64encode(whole).decode()})
    except Gone:
        return 1
    except OSError as error:
        say({"error": error.errno, "message": f"{error.strerror}: {error.filename}"})
    return 0


def _no_more_imports() -> None:
    """From here on names lead into the container: nothing of Python's may be loaded from there."""
    sys.path.clear()
    sys.meta_path.clear()
    sys.path_importer_cache.clear()


def _users_of(pid: int) -> int:
    """The user namespace of a process, open; -1 where it is our own."""
    there = f"/proc/{pid}/ns/user"
    if Path(there).stat().st_ino == Path("/proc/self/ns/user").stat().st_ino:
        return -1
    return os.open(there, os.O_RDONLY | os.O_CLOEXEC)


def _become_root(descriptor: int) -> None:
    """Of another user namespace: with its root's ids and rights, and no more than those."""
    if descriptor < 0:
        return
    syscalls.setns(descriptor, syscalls.CLONE_NEWUSER)
    os.close(descriptor)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    # A change of user takes it away.
    syscalls.set_parent_death_signal(signal.SIGKILL)


def enter(root: str, pid: int, binds: list[Json], users: int = 0) -> None:
    """Make the container's root the root of all that this process can name.

    Args:
        root: where it is mounted.
        pid: of a process that has it as its own.
        binds: what is mounted in it.
        users: process whose user namespace the files are seen from, where no process is entered.
    """
    if pid:
        descriptor = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        _become_root(_users_of(pid))
        _no_more_imports()
        syscalls.setns(descriptor, syscalls.CLONE_NEWNS)
        os.close(descriptor)
        return
    namespace = _users_of(users) if users else -1
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount(root, root, None, syscalls.MS_BIND | syscalls.MS_REC)
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for bind in binds:
        # The place is opened beneath the root and mounted by descriptor: a link there cannot lead to the host.
        place = syscalls.openat2(base, bind["destination"].strip("/"), os.O_PATH, resolve=IN_ROOT)
        target = f"/proc/self/fd/{place}"
        part = _part(bind["source"], bind.get("subpath") or "")
        syscalls.mount(f"/proc/self/fd/{part}", target, None, syscalls.MS_BIND | syscalls.MS_REC)
        os.close(part)
        os.close(place)
    os.close(base)
    _no_more_imports()
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount(".", syscalls.MNT_DETACH)
    os.chdir("/")
    _become_root(namespace)


def _part(source: str, subpath: str) -> int:
    """What of a volume is mounted: opened beneath it, since whoever writes there chooses where its links lead."""
    whole = os.open(source, os.O_PATH | os.O_CLOEXEC)
    if not subpath:
        return whole
    beneath = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS
    try:
        return syscalls.openat2(whole, subpath, os.O_PATH, resolve=beneath)
    finally:
        os.close(whole)


def describe(root: int, path: str, apart: Apart) -> Json:
    """Docker's ContainerPathStat.

    Raises:
        OSError: it is not there, or none of the container's files.
    """
    descriptor, info = find(root, path)
    try:
        if not stat.S_ISDIR(info.st_mode) and apart(descriptor, info.st_dev):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    finally:
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


def write(root: int, path: str, name: str, out: Out, apart: Apart) -> None:
    """The path as a tar.

    Args:
        root: the container's.
        path: what is wanted.
        name: how its entries begin; empty: without any folder of their own.
        out: where it goes.
        apart: what is left out.
    """
    descriptor, info = find(root, path)
    writer = Writer(out, apart)
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


def _put(options: Json, data: int) -> Json:
    """Fill the folder; what is wrong with it is found before a byte of the archive is read."""
    enter(options["root"], options["pid"], options["binds"])
    syscalls.unshare(syscalls.CLONE_NEWNET)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    folder = options["folder"].strip("/") or "."
    try:
        os.close(syscalls.openat2(root, folder, os.O_PATH | os.O_DIRECTORY, resolve=IN_ROOT))
    except OSError as error:
        if error.errno in _NOT_THERE and _is_no_folder(root, options["folder"]):
            return {"refused": "no folder"}
        raise
    if options["readonly"]:
        return {"refused": "read-only"}
    return untar.answer(options, data)


def _is_no_folder(root: int, path: str) -> bool:
    try:
        descriptor, info = find(root, path.removesuffix("/.").rstrip("/") or "/")
    except OSError:
        return False
    os.close(descriptor)
    return not stat.S_ISLNK(info.st_mode)
