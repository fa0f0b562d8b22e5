"""Threads that live in the network namespace that holds the bridges, published ports and rules.

unshare and setns move one thread, not the process: the engine's event loop never leaves its namespace. A worker
enters the namespace of ``--netns`` once (or stays in the process's own), keeps an rtnetlink socket and an nft context
there. To make a container's namespace it leaves home, binds the new one to a file, opens what it needs, and returns.

Sources: network_namespaces(7), setns(2).
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from agent.engine.errors import System
from agent.engine.kernel import namespaces, syscalls
from agent.engine.kernel.nftables import Nft
from agent.engine.kernel.rtnetlink import Rtnetlink

OWN = "/proc/thread-self/ns/net"
START = 10
"""Seconds for all threads to have begun."""
T = TypeVar("T")


class Home:
    """What a worker thread holds: its namespace, an rtnetlink socket and an nft context there. Only for that thread."""

    def __init__(self, namespace: Path | None) -> None:
        """Move the calling thread to the namespace, for good.

        Raises:
            System: there is no such namespace, or this process may not enter it.
        """
        try:
            self.descriptor = os.open(namespace or OWN, os.O_RDONLY | os.O_CLOEXEC)
            if namespace is not None:
                self.back()
        except OSError as error:
            raise System(f"network namespace {namespace or 'of the engine'} cannot be entered: {error}") from error
        self.rtnetlink = Rtnetlink()
        self.nft = Nft()

    def close(self) -> None:
        """Let go of what it holds; its thread has ended."""
        self.nft.close()
        self.rtnetlink.close()
        os.close(self.descriptor)

    @contextmanager
    def inside(self, namespace: Path) -> Iterator[None]:
        """Run the body with this thread in another namespace."""
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
        finally:
            os.close(descriptor)
        try:
            yield
        finally:
            self.back()

    @contextmanager
    def fresh(self, path: Path, *, there: bool = False) -> Iterator[None]:
        """Run the body with this thread in a new namespace bound to ``path``, which goes when the body fails.

        Args:
            path: of the namespace.
            there: somebody else has made it.
        """
        try:
            if there:
                with self.inside(path):
                    yield
                return
            namespaces.unshare_network(path)
            yield
        except BaseException:
            namespaces.remove_network(path)
            raise
        finally:
            self.back()

    def back(self) -> None:
        """Return home."""
        syscalls.setns(self.descriptor, syscalls.CLONE_NEWNET)


class NetWorkers:
    """The threads. Several, so that starts do not wait for each other's system calls."""

    def __init__(self, namespace: Path | None, threads: int = 4) -> None:
        self._namespace = namespace
        self._threads = threads
        self._local = threading.local()
        self._homes: list[Home] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="netns")

    async def start(self) -> None:
        """Let every thread go home now, while descriptor numbers are low (``nftables.py`` says why).

        Raises:
            System: the namespace cannot be entered.
        """
        together = threading.Barrier(self._threads)
        await asyncio.gather(*(self.run(lambda _: together.wait(START)) for _ in range(self._threads)))

    async def run(self, work: Callable[[Home], T]) -> T:
        """Run ``work`` in one of the threads and wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._work, work)

    def _work(self, work: Callable[[Home], T]) -> T:
        home: Home | None = getattr(self._local, "home", None)
        if home is None:
            home = self._local.home = Home(self._namespace)
            self._homes.append(home)
        return work(home)

    def close(self) -> None:
        """Wait for what is under way and end the threads."""
        self._pool.shutdown()
        while self._homes:
            self._homes.pop().close()
