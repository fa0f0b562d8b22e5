"""What goes on while the engine is away: names, and published ports that no rule leads to their containers."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.config import EngineConfig
from agent.engine.kernel import pidfd
from agent.engine.paths import Paths
from scripts.launch.purge import purge_engine
from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine, running_engine


@pytest.fixture
def busy() -> Iterator[RunningEngine]:
    """An engine with two containers on a network, one of which is published."""
    with running_engine() as engine:
        engine.docker.ok("network create net")
        engine.docker.ok("run -d --name web --network net -p 8080:80 busy httpd -f -p 80 -h /etc")
        engine.docker.ok("run -d --name client --network net busy sleep 600")
        yield engine


def config(engine: RunningEngine) -> EngineConfig:
    return EngineConfig(root=engine.data, socket=engine.socket)


SOCKETS = 8
"""The stand-in's own two, the published port's two, and each resolver's two."""


def standin(engine: RunningEngine) -> int:
    """Its pid, once it knows both containers."""
    path = Paths.of(config(engine)).run / "standin.pid"

    def found() -> int:
        with contextlib.suppress(OSError, ValueError):
            pid, _ = json.loads(path.read_text())
            held = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
            if sum(one.startswith("socket:") for one in held) == SOCKETS:
                return int(pid)
        return 0

    return int(until(found, 40))


ASK_NAME = (
    "import socket; from dnslib import DNSRecord\n"
    "for again in range(8):\n"
    " s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(4); s.connect(('127.0.0.11',53))\n"
    " try: s.send(DNSRecord.question('web').pack()); answer=DNSRecord.parse(s.recv(999))\n"
    " except TimeoutError: continue\n"
    " print(*[one.rdata for one in answer.rr]); break"
)
"""As resolvers do, asks again where no answer comes: who is killed may have read the question."""
ASK_PAGE = (
    "import socket,sys\n"
    "for again in range(8):\n"
    " s=socket.create_connection((sys.argv[1],8080),20)\n"
    " try:\n"
    "  s.sendall(b'GET /hostname HTTP/1.0\\r\\n\\r\\n'); text=s.makefile().read()\n"
    "  if text: print(text); break\n"
    " except ConnectionError: pass"
)
"""A connection is never refused. One that was open is cut with the process that relayed it."""


def lookup(engine: RunningEngine, client: str) -> str:
    """What the client's resolver says, asked by a program in its namespace."""
    where = Paths.of(config(engine)).namespace(client)
    argv = ["nsenter", f"--net={where}", sys.executable, "-c", ASK_NAME]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60).stdout.strip()


def page(engine: RunningEngine, address: str) -> bool:
    argv = engine.namespace.argv(sys.executable, "-c", ASK_PAGE, address)
    return "200 OK" in subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60).stdout


def test_names_and_relays_outlive_the_engine(busy: RunningEngine) -> None:
    engine = busy
    client = engine.docker.inspect("client")["Id"]
    address = engine.docker.inspect("web")["NetworkSettings"]["Networks"]["net"]["IPAddress"]
    first = standin(engine)
    engine.kill9()
    assert lookup(engine, client) == address
    assert page(engine, "::1")
    assert page(engine, "127.0.0.1")
    engine.start()
    assert lookup(engine, client) == address
    assert page(engine, "::1")
    second = standin(engine)
    assert second != first
    assert not pidfd.start_ticks(first), "each engine has one of its own code"
    # While the next engine begins nothing is refused.
    failed: list[str] = []
    done = threading.Event()

    def go_on() -> None:
        while not done.is_set():
            if lookup(engine, client) != address or not page(engine, "::1"):
                failed.append(time.strftime("%X"))

    thread = threading.Thread(target=go_on)
    thread.start()
    engine.restart()
    engine.kill9()
    engine.start()
    done.set()
    thread.join()
    assert not failed
    engine.docker.ok("rename web other")
    engine.docker.ok("rm -f other")
    engine.docker.ok("run -d --name web --network net -p 8080:80 busy httpd -f -p 80 -h /etc")
    standin(engine)
    engine.kill9()
    assert lookup(engine, client)
    assert page(engine, "::1")
    engine.start()


def test_it_ends_by_a_purge_and_is_replaced_when_it_dies(busy: RunningEngine) -> None:
    engine = busy
    client = engine.docker.inspect("client")["Id"]
    first = standin(engine)
    os.kill(first, 9)
    until(lambda: not pidfd.start_ticks(first))
    second = standin(engine)
    assert second != first
    engine.kill9()
    assert lookup(engine, client)
    purge_engine(config(engine), network=False)
    assert not pidfd.start_ticks(second)
