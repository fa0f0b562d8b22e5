"""Network namespaces: make one that lives without a process, enter one, take it away.

A namespace is kept by binding it to a file. Making one unshares the *calling thread*, so it is done in a thread of
its own that ends afterwards; unmounting the file is all that removal takes (0.1 ms; the kernel tears the links down
by itself).
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from agent.engine.kernel import mounts, syscalls

T = TypeVar("T")


def in_own_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a new thread and wait: what it does to its namespaces ends with it."""
    result: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            result.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def unshare_network(path: Path) -> None:
    """Move the calling thread into a new network namespace and bind that to ``path``.

    For a thread that goes on to set the namespace up, and ends or enters its old one again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    syscalls.unshare(syscalls.CLONE_NEWNET)
    mounts.bind("/proc/thread-self/ns/net", path)


def make_network(path: Path) -> None:
    """Make a network namespace at ``path``. Blocks; idempotent."""
    if path.exists() and mounts.is_mounted(path):
        return
    in_own_thread(lambda: unshare_network(path))


def remove_network(path: Path) -> None:
    """Let go of the namespace. It ends when its last process does. Idempotent."""
    if path.exists():
        mounts.unmount(path, lazy=True)
        path.unlink(missing_ok=True)


@contextmanager
def entered(path: "str | os.PathLike[str]") -> Iterator[None]:
    """Be in another network namespace for the block; only the calling thread moves, so never do this on the loop's."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(there, syscalls.CLONE_NEWNET)
        try:
            yield
        finally:
            syscalls.setns(home, syscalls.CLONE_NEWNET)
    finally:
        os.close(there)
        os.close(home)
