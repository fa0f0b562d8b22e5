"""The stand-in itself: no event loop and few modules, since it lives as long as containers do.

Standard input is a socket of the engine's, the first argument the descriptor of a listening one, where the next engine
connects; the second its path; the third the network namespace of published ports, or nothing. A message is a line of a
verb and a container's id, and what only ``serving.py`` reads: ``set`` and ``more`` bring sockets, ``drop`` lets go of
them and is answered, ``go`` ends the process, ``end`` says that all has been handed over.
"""

import os
import select
import signal
import socket
import sys

LONGEST = 1 << 17
AT_ONCE = 200
"""Descriptors in one message; the kernel takes 253."""
LOOK = 10
"""Seconds between looks, without an engine, at whether there is anything to wait for."""

Held = dict[str, tuple[bytes, list[int]]]
"""By id: what was told, and the sockets."""


class StandIn:
    """What is held, and for whom."""

    def __init__(self, engine: socket.socket, listener: socket.socket, path: str, namespace: str) -> None:
        self._engine: socket.socket | None = engine
        self._listener = listener
        self._path, self._namespace = path, namespace
        self._inode = self._found()
        self._held: Held = {}
        self._child = 0

    def run(self) -> None:
        """Until it is sent away, or nothing is left to stand in for."""
        while self._engine is not None or (self._held and self._found() == self._inode):
            heard = [self._listener, *filter(None, [self._engine])]
            ready, _, _ = select.select(heard, [], [], None if self._engine else LOOK)
            if self._engine in ready:
                if not self._hear(self._engine):
                    return
            elif ready:
                self._hand_over()
            if self._engine is None and self._held:
                self._serve()
        self._relieve()

    def _found(self) -> int:
        """What lies where the next engine looks: another one's socket, or nothing once the engine is purged."""
        try:
            return os.stat(self._path).st_ino  # noqa: PTH116 (pathlib is half a MiB)
        except OSError:
            return 0

    def _hear(self, engine: socket.socket) -> bool:
        """False: go."""
        try:
            data, descriptors, _, _ = socket.recv_fds(engine, LONGEST, AT_ONCE, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            data, descriptors = b"", []
        if not data:
            engine.close()
            self._engine = None
            return True
        verb, name, told = split(data)
        if verb == "more" and name in self._held:
            self._held[name][1].extend(descriptors)
            return True
        _close(self._held.pop(name, (b"", []))[1])
        if verb == "set":
            self._held[name] = (told, list(descriptors))
        elif verb == "drop":
            try:
                engine.send(data)
            except OSError:
                return True
        return verb != "go"

    def _hand_over(self) -> None:
        """A new engine: tell it all; until it has sent us away we stand by."""
        if self._engine is not None:
            self._engine.close()
        self._engine, _ = self._listener.accept()
        self._relieve()
        try:
            for name, (told, descriptors) in self._held.items():
                send(self._engine, name, told, descriptors)
            self._engine.send(b"end \n")
        except OSError:
            return

    def _serve(self) -> None:
        if self._child and os.waitpid(self._child, os.WNOHANG)[0] == 0:
            return
        self._child = os.fork()
        if self._child == 0:
            self._listener.close()
            # Only here: it is a hundred modules.
            from agent.engine.networks.standin import serving

            serving.run(self._namespace, self._held)

    def _relieve(self) -> None:
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0


def send(to: socket.socket, name: str, told: bytes, descriptors: list[int]) -> None:
    """All of one container, in as many messages as it takes."""
    socket.send_fds(to, [f"set {name}\n".encode() + told], descriptors[:AT_ONCE])
    for start in range(AT_ONCE, len(descriptors), AT_ONCE):
        socket.send_fds(to, [f"more {name}\n".encode()], descriptors[start : start + AT_ONCE])


def split(data: bytes) -> tuple[str, str, bytes]:
    """The verb, the id and the rest of a message."""
    head, _, told = data.partition(b"\n")
    verb, _, name = head.decode().partition(" ")
    return verb, name, told


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    number, path, namespace = sys.argv[1:]
    os.setsid()
    StandIn(socket.socket(fileno=0), socket.socket(fileno=int(number)), path, namespace).run()
