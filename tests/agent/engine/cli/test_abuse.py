"""Clients that abuse the socket: new calls are served all the while, and nothing of them is left.

``LONGSHORE_IDLE_CONNECTIONS`` asks for more than the short form.
"""

import contextlib
import os
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from tests.agent.engine.cli.test_log_load import descriptors, memory, stuck
from tests.agent.engine.conftest import RunningEngine

IDLE = int(os.environ.get("LONGSHORE_IDLE_CONNECTIONS", "1500"))


def connect(engine: RunningEngine) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    link.connect(str(engine.socket))
    link.settimeout(20)
    return link


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many descriptors as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, IDLE + 1000) if hard > 0 else IDLE + 1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def settled(engine: RunningEngine, base: int) -> None:
    ends = time.monotonic() + 20
    while descriptors(engine) > base + 2 and time.monotonic() < ends:
        time.sleep(0.2)
    assert descriptors(engine) <= base + 2


@pytest.mark.usefixtures("many_files")
def test_idle_and_slow_connections(engine: RunningEngine, capsys: pytest.CaptureFixture[str]) -> None:
    docker = engine.docker
    docker.ok("version")
    base, before = descriptors(engine), memory(engine)
    with contextlib.ExitStack() as links:
        for number in range(IDLE):
            link = links.enter_context(connect(engine))
            if number % 3 == 0:
                link.sendall(b"GET /version HTTP/1.1\r\nHost: d\r\nX-Slow: ")
        begin = time.perf_counter()
        assert docker.api("GET", "/version")[0] == 200
        assert docker.ok("run --rm --network none busy echo served") == "served"
        took, after = time.perf_counter() - begin, memory(engine)
    settled(engine, base)
    with capsys.disabled():
        print(
            f"\n{IDLE:,} idle connections: {(after - before) / IDLE / 1024:.0f} KiB each, calls served in {took:.2f} s"
        )
    assert (after - before) / IDLE < 64 << 10
    assert took < 15


def test_a_json_body_of_a_gigabyte_is_refused(engine: RunningEngine) -> None:
    before = memory(engine)
    for headers in (f"Content-Length: {1 << 30}", "Transfer-Encoding: chunked"):
        link = connect(engine)
        head = ["POST /containers/create HTTP/1.1", "Host: d", "Content-Type: application/json", headers, "", ""]
        link.sendall("\r\n".join(head).encode())
        block = b'{"' + b"x" * (1 << 20)
        piece = b"%x\r\n%s\r\n" % (len(block), block) if "chunked" in headers else block
        with contextlib.suppress(OSError):
            for _ in range(64):
                link.sendall(piece)
        answer = b""
        with contextlib.suppress(OSError):
            while data := link.recv(65536):
                answer += data
                if b"too large" in answer.lower():
                    break
        assert answer.startswith(b"HTTP/1.1 413") or not answer, answer[:300]
        link.close()
        assert engine.docker.api("GET", "/version")[0] == 200
    assert memory(engine) - before < 64 << 20


def test_clients_that_never_close(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    container = docker.ok("run -d --network none --name noisy busy sh -c 'yes | head -n 300000; sleep 600'")
    base, before = descriptors(own_engine), memory(own_engine)
    heads = [
        f"POST /containers/{container}/attach?stdout=1&stdin=1&stream=1&logs=1",
        f"GET /containers/{container}/logs?stdout=1&follow=1",
        f"GET /containers/{container}/stats",
        "GET /events",
    ]
    links = [stuck(own_engine, head) for head in heads for _ in range(25)]
    time.sleep(1)
    assert docker.ok("exec noisy echo fine") == "fine"
    assert memory(own_engine) - before < 100 << 20
    for link in links[:50]:
        link.close()
    settled(own_engine, base + 50)
    begin = time.monotonic()
    own_engine.stop()
    assert time.monotonic() - begin < 15
    own_engine.start()
    assert docker.inspect("noisy")["State"]["Running"]
    for link in links:
        link.close()
