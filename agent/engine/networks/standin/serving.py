"""The stand-in's child: the engine's own resolver and relay, on the sockets that are held."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.engine.errors import EngineError
from agent.engine.kernel import syscalls
from agent.engine.kernel.networkers import NetWorkers
from agent.engine.networks.live import LiveSandbox
from agent.engine.networks.names import resolver_of
from agent.engine.networks.standin import parcel


def run(namespace: str, held: Mapping[str, tuple[bytes, Sequence[int]]]) -> None:
    """Serve until somebody ends the process, or its parent is gone. Never returns."""
    syscalls.set_parent_death_signal(signal.SIGKILL)
    try:
        asyncio.run(_serve(namespace, held))
    finally:
        os._exit(1)


async def _serve(namespace: str, held: Mapping[str, tuple[bytes, Sequence[int]]]) -> None:
    workers = NetWorkers(Path(namespace) if namespace else None)
    live: dict[str, LiveSandbox] = {}
    resolvers: dict[str, list[socket.socket]] = {}
    for name, (told, descriptors) in held.items():
        with contextlib.suppress(ValueError):
            live[name], resolvers[name] = parcel.unpack(told, descriptors)
    for name, one in live.items():
        with contextlib.suppress(EngineError, OSError):
            if resolvers[name]:
                one.resolver = resolver_of(one, live, lambda other: live[other].name, lambda: 0)
                await one.resolver.serve(workers, one.path, *resolvers[name])
            await one.start_relays(workers)
    await asyncio.Event().wait()
