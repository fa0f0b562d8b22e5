"""The engine's side of the stand-in (``standin``): tells it what it would have to serve, takes back what it holds.

It is started with the first container that has a resolver or published ports, in the background, and sent away some
time after the last. Containers that end at once never come to it. Nothing waits for it but a release of ports: their
numbers must be free when that is done.
"""

import asyncio
import contextlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import agent
from agent.engine.kernel import files, pidfd
from agent.engine.networks.live import LiveSandbox
from agent.engine.networks.standin import parcel
from agent.engine.networks.standin.__main__ import AT_ONCE, LONGEST, send, split

log = logging.getLogger(__name__)

YOUNG_SECONDS = 0.3
"""Age at which a container is worth telling of."""
IDLE_SECONDS = 15.0
PATIENCE = 5.0
AGAIN = 5.0
"""Seconds until one that has died is replaced."""
_BUFFER = 2 << 20
_PROJECT = str(Path(agent.__file__).parent.parent)

Taken = dict[str, tuple[LiveSandbox, list[socket.socket]]]


class Parking:
    """One engine's stand-in."""

    def __init__(
        self,
        path: Path,
        namespace: Path | None,
        live: Mapping[str, LiveSandbox],
        name_of: Callable[[str], str],
        place: Callable[[int], None],
    ) -> None:
        """
        Args:
            path: where the next engine finds it.
            namespace: of published ports; None: the engine's own.
            live: all sandboxes.
            name_of: the name of a container by its id.
            place: puts a process where a stop of the engine does not reach.
        """
        self._path, self._namespace = path, namespace
        self._live, self._name_of, self._place = live, name_of, place
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._before: socket.socket | None = None
        self._waiting: dict[str, None] = {}
        self._sent: set[str] = set()
        self._dropped: dict[str, asyncio.Future[None]] = {}
        self._beginning: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.TimerHandle | None = None

    async def take_over(self) -> Taken:
        """What the stand-in of an earlier engine holds; it goes when ``settle`` is called."""
        return await asyncio.to_thread(self._collect)

    async def settle(self) -> None:
        """All that runs is served again: let a new stand-in know it, and send the old one away."""
        for name in list(self._live):
            self.put(name)
        self._tell()
        if self._beginning is not None:
            await asyncio.wait([self._beginning], timeout=PATIENCE)
        if self._before is not None:
            await asyncio.to_thread(_send_away, self._before)
            self._before = None

    def put(self, container_id: str) -> None:
        """It has come, or has changed."""
        one = self._live.get(container_id)
        if one is None or not (_has_sockets(one) or container_id in self._sent):
            return
        self._waiting[container_id] = None
        if container_id in self._sent:
            self._tell()
        elif self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(YOUNG_SECONDS, self._tell)

    async def drop(self, container_id: str) -> None:
        """Have its sockets let go."""
        self._waiting.pop(container_id, None)
        if container_id not in self._sent or self._channel is None:
            return
        self._sent.discard(container_id)
        done = self._dropped[container_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().sock_sendall(self._channel, f"drop {container_id}\n".encode())
                await done
        except (OSError, TimeoutError) as error:
            log.warning("the stand-in does not answer: %s", error)
            self._end()
        finally:
            self._dropped.pop(container_id, None)
        self._rest()

    def close(self) -> None:
        """The engine goes: the stand-in serves from now on."""
        for timer in filter(None, (self._timer, self._soon)):
            timer.cancel()
        if self._beginning is not None:
            self._beginning.cancel()
        if self._before is not None:
            self._before.close()
        self._let_go()

    def _tell(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._channel is not None:
            self._flush()
        elif self._waiting:
            self._begin(0)

    def _begin(self, wait: float) -> None:
        if self._beginning is None:
            self._beginning = asyncio.create_task(self._start(wait), name="stand-in")

    async def _start(self, wait: float) -> None:
        try:
            await asyncio.sleep(wait)
            self._process, channel = await asyncio.to_thread(self._spawn)
            self._channel = channel
            asyncio.get_running_loop().add_reader(channel, self._hear, channel)
            self._flush()
        except OSError as error:
            log.warning("names and relayed ports will not be served while the engine is away: %s", error)
        finally:
            self._beginning = None

    def _spawn(self) -> tuple["subprocess.Popen[bytes]", socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(fresh))
            listener.listen(1)
            fresh.replace(self._path)
            process = subprocess.Popen(
                [sys.executable, "-s", "-B", "-m", "agent.engine.networks.standin", str(listener.fileno()),
                 str(self._path), str(self._namespace or "")],
                stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[listener.fileno()], env={"PYTHONPATH": _PROJECT, "LC_ALL": "C.UTF-8", "PATH": os.defpath},
            )  # fmt: skip
        files.write(self._path.with_suffix(".pid"), json.dumps([process.pid, pidfd.start_ticks(process.pid)]).encode())
        with contextlib.suppress(OSError):
            self._place(process.pid)
        ours.setblocking(False)
        return process, ours

    def _flush(self) -> None:
        channel, loop = self._channel, asyncio.get_running_loop()
        if channel is None:
            return
        loop.remove_writer(channel)
        while self._waiting:
            name = next(iter(self._waiting))
            one = self._live.get(name)
            try:
                if one is not None:
                    told, descriptors = parcel.pack(one, self._name_of(name))
                    if len(told) > LONGEST // 2:
                        raise OSError("it is on too many networks, or has too many ports")
                    send(channel, name, told, descriptors)
                    self._sent.add(name)
            except BlockingIOError:
                loop.add_writer(channel, self._flush)
                return
            except OSError as error:
                log.warning("the stand-in does not learn of %s: %s", name[:12], error)
            self._waiting.pop(name, None)
        self._rest()

    def _hear(self, channel: socket.socket) -> None:
        try:
            data = channel.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            log.warning("the stand-in has died, another one takes its place")
            self._end()
            return
        done = self._dropped.get(split(data)[1])
        if done is not None and not done.done():
            done.set_result(None)

    def _end(self) -> None:
        """It has died, or has to: begin with a new one."""
        if self._channel is None:
            return
        self._let_go()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._sent = set()
        for done in self._dropped.values():
            if not done.done():
                done.set_result(None)
        self._waiting |= dict.fromkeys(name for name, one in self._live.items() if _has_sockets(one))
        if self._waiting:
            self._begin(AGAIN)

    def _let_go(self) -> None:
        if self._channel is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._channel)
            loop.remove_writer(self._channel)
            self._channel.close()
            self._channel = None

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._sent and not self._waiting and self._channel is not None:
            self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end)

    def _collect(self) -> Taken:
        before = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        before.settimeout(PATIENCE)
        found: dict[str, tuple[bytes, list[int]]] = {}
        try:
            before.connect(str(self._path))
            while True:
                data, descriptors, _, _ = socket.recv_fds(before, LONGEST, AT_ONCE, socket.MSG_CMSG_CLOEXEC)
                verb, name, told = split(data or b"end ")
                if verb == "end":
                    break
                if verb == "set":
                    found[name] = (told, [])
                found[name][1].extend(descriptors)
        except OSError as error:
            before.close()
            if self._path.exists() and self._kill():
                log.warning("the stand-in of an earlier engine does not answer: %s", error)
            return {}
        self._before = before
        try:
            return {name: parcel.unpack(told, held) for name, (told, held) in found.items()}
        except ValueError:
            for _, held in found.values():
                for descriptor in held:
                    os.close(descriptor)
            _send_away(before)
            self._before = None
            return {}

    def _kill(self) -> bool:
        """End an earlier engine's stand-in: nobody but it may have the numbers of ports; whether there was one."""
        try:
            pid, ticks = json.loads(self._path.with_suffix(".pid").read_text())
        except (OSError, ValueError):
            return False
        descriptor = pidfd.open_process(pid, ticks)
        if descriptor is None:
            return False
        try:
            pidfd.send(descriptor, signal.SIGKILL)
            return bool(select.select([descriptor], [], [], PATIENCE)[0])
        finally:
            pidfd.close(descriptor)


def _has_sockets(one: LiveSandbox) -> bool:
    return one.resolver is not None or bool(one.bindings)


def _send_away(old: socket.socket) -> None:
    """Wait until it has let go of everything."""
    with old, contextlib.suppress(OSError):
        old.send(b"go \n")
        while old.recv(LONGEST):
            continue
