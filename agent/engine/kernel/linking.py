"""The program that makes links with pyroute2, and the engine's way to it.

pyroute2 takes 12 MiB and 0.4 s to load, and links are made rarely: with a network, not with a container. So it is
loaded by a process of its own, which is started for the first link, serves one change after the other, and ends when
none has come for a minute, or with the engine.

Each message on its standard input is a change in JSON, with a descriptor of the network namespace that it is made in;
the answer is an errno, 0 for done.

Source: https://docs.pyroute2.org/iproute.html
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import agent
from agent.engine.kernel import syscalls

IDLE_SECONDS = 60.0
_PROJECT = str(Path(agent.__file__).parent.parent)
_LONGEST = 1 << 16


class Linker:
    """The engine's side: starts the process when there is work for it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._last = 0.0

    def change(self, noun: str, command: str, **attributes: object) -> int:
        """One call of ``pyroute2.IPRoute`` in the namespace of the calling thread: 0, or the kernel's refusal."""
        message = json.dumps([noun, command, attributes]).encode()
        with self._turn:
            answer = self._ask(message)
            if not answer:  # it was dead before this came: killed, or out of memory
                self._end()
                answer = self._ask(message)
            self._last = time.monotonic()
            if not answer:
                self._end()
                raise OSError("the process that makes links gives no answer")
            return int(answer)

    def _ask(self, message: bytes) -> bytes:
        channel = self._ready()
        namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            socket.send_fds(channel, [message], [namespace])
            return channel.recv(_LONGEST)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        finally:
            os.close(namespace)

    def _ready(self) -> socket.socket:
        if self._channel is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-s", "-m", __name__],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={"PYTHONPATH": _PROJECT, "LC_ALL": "C.UTF-8", "PATH": os.defpath},
                )
            self._channel = ours
            self._last = time.monotonic()
            threading.Thread(target=self._rest, args=(ours,), name="linker", daemon=True).start()
        return self._channel

    def _rest(self, channel: socket.socket) -> None:
        while (left := self._last + IDLE_SECONDS - time.monotonic()) > 0:
            time.sleep(left)
        with self._turn:
            if self._channel is channel:
                self._end()

    def _end(self) -> None:
        if self._channel is not None and self._process is not None:
            self._channel.close()
            self._process.kill()
            self._process.wait()
        self._channel = self._process = None


def main() -> int:
    """Make one link after the other, until the engine goes."""
    import pyroute2

    with socket.socket(fileno=0) as engine, Path("/proc/self/ns/net").open("rb") as home:
        while True:
            message, descriptors, _, _ = socket.recv_fds(engine, _LONGEST, 1)
            if not message:
                return 0
            noun, command, attributes = json.loads(message)
            refused = 0
            try:
                syscalls.setns(descriptors[0], syscalls.CLONE_NEWNET)
                with pyroute2.IPRoute() as route:
                    getattr(route, noun)(command, **attributes)
            except pyroute2.NetlinkError as error:
                refused = error.code
            finally:
                os.close(descriptors[0])
                # Whoever takes that namespace away shall not find this process in it.
                syscalls.setns(home.fileno(), syscalls.CLONE_NEWNET)
            engine.send(str(refused).encode())


if __name__ == "__main__":
    sys.exit(main())
