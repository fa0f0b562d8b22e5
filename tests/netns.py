"""Network namespaces for tests: made, entered and removed here and nowhere else.

No test ever makes a link, a route or an nft table in the machine's own network namespace.
"""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def run(*argv: str) -> str:
    """Run a command, raise with its own words where it fails, and answer its output."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Namespace:
    """One network namespace below /run/netns, with ``lo`` up."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = Path("/run/netns") / name
        run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def argv(self, *command: str) -> list[str]:
        """The command line that runs ``command`` inside; nsenter keeps the mounts, which ``ip netns exec`` does not."""
        return ["nsenter", f"--net={self.path}", *command]

    def ip(self, *arguments: str) -> str:
        """Run ``ip`` inside."""
        return run(*self.argv("ip", *arguments))

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread inside: sockets that it opens and programs that it starts are born there."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
            try:
                yield
            finally:
                _setns(own)
        finally:
            os.close(there)
            os.close(own)

    def remove(self) -> None:
        """Unmount and remove the namespace; it ends with its last process."""
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def join(left: Namespace, left_name: str, right: Namespace, right_name: str) -> None:
    """Lay a veth pair between two namespaces; both ends are up."""
    left.ip("link", "add", left_name, "type", "veth", "peer", "name", right_name, "netns", right.name)
    left.ip("link", "set", left_name, "up")
    right.ip("link", "set", right_name, "up")
