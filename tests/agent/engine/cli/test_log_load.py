"""Many lines from many containers, with viewers that do not read: nothing is lost and nobody else notices.

``LONGSHORE_LOG_SECONDS`` asks for more than the short form, ``LONGSHORE_LOG_LINE`` for a longer line than its.
"""

import http.client
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path
from statistics import quantiles

import pytest

from agent.streams import stdcopy
from tests.agent.engine.conftest import RunningEngine

SECONDS = int(os.environ.get("LONGSHORE_LOG_SECONDS", "4"))
LINE = int(os.environ.get("LONGSHORE_LOG_LINE", str(48 << 20)))
CONTAINERS, RATE = 20, 5100
# 510 numbered lines of a hundred bytes whenever the clock says that they are due.
WRITER = """
read now rest < /proc/uptime; begin=${now%.*}${now#*.}; i=0
while [ $i -lt $1 ]; do
    seq -s " $2
" $((i+1)) $((i+510)); i=$((i+510)); due=$((begin + i/51))
    while read now rest < /proc/uptime; [ ${now%.*}${now#*.} -lt $due ]; do usleep 20000; done
done
"""
PAD = "x" * 92
RECORD = re.compile(rb"^.{35} stdout ([FP]) (.*)$", re.MULTILINE)


def stuck(engine: RunningEngine, head: str) -> socket.socket:
    """A client that asks and never reads."""
    link = socket.socket(socket.AF_UNIX)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.connect(str(engine.socket))
    link.sendall(f"{head} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
    return link


def memory(engine: RunningEngine) -> int:
    """Resident bytes of the engine's process."""
    assert engine.process is not None
    status = Path(f"/proc/{engine.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) << 10  # type: ignore[index]


def descriptors(engine: RunningEngine) -> int:
    assert engine.process is not None
    return len(list(Path(f"/proc/{engine.process.pid}/fd").iterdir()))


def written(engine: RunningEngine, container: str) -> list[int]:
    """The numbers in a container's files, in their order."""
    files = engine.data.glob(f"containers/{container}/{container}-json.log*")
    order = sorted(files, key=lambda path: -int(path.name.rpartition(".")[2]) if path.name[-1].isdigit() else 0)
    text = b""
    for path in order:
        text += b"".join(found[2] + b"\n" * (found[1] == b"F") for found in RECORD.finditer(path.read_bytes()))
    return [int(line.partition(b" ")[0]) for line in text.splitlines()]


class Calls(threading.Thread):
    """Asks the engine again and again; how long each answer took."""

    def __init__(self, engine: RunningEngine) -> None:
        super().__init__(daemon=True)
        self._engine, self.over, self.took = engine, threading.Event(), list[float]()

    def run(self) -> None:
        while not self.over.wait(0.02):
            begin = time.perf_counter()
            assert self._engine.docker.api("GET", "/containers/json")[0] == 200
            self.took.append(time.perf_counter() - begin)


class Follower(threading.Thread):
    """A viewer that reads: one container's numbers as they come."""

    def __init__(self, engine: RunningEngine, container: str) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("d", timeout=60)
        self._connection.sock = socket.socket(socket.AF_UNIX)
        self._connection.sock.connect(str(engine.socket))
        self._container, self.numbers = container, list[int]()

    def run(self) -> None:
        self._connection.request("GET", f"/containers/{self._container}/logs?stdout=1&follow=1")
        answer, frames, text = self._connection.getresponse(), stdcopy.Reader(), bytearray()
        while block := answer.read1(65536):
            for _, data in frames.feed(block):
                text += data
        self.numbers = [int(line.partition(b" ")[0]) for line in text.splitlines()]


@pytest.mark.timeout(120 + 4 * SECONDS)
def test_a_hundred_thousand_lines_a_second(own_engine: RunningEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine, docker, count = own_engine, own_engine.docker, RATE * SECONDS
    ids = []
    for number in range(CONTAINERS):
        # some with rotation, so that files change under the load
        bounds = "--log-opt max-size=500k --log-opt max-file=9999" if number % 4 == 0 else ""
        ids.append(docker.ok(f"create --network none --name w{number} {bounds} busy sh -c '{WRITER}' w {count} {PAD}"))
    watched = docker.ok(f"run -d --network none --name noisy busy sh -c 'yes {PAD} | head -n 200000; sleep 600'")
    clients = [
        stuck(engine, f"GET /containers/{watched}/logs?stdout=1&follow=1"),
        stuck(engine, f"POST /containers/{watched}/attach?stdout=1&stream=1&logs=1"),
        stuck(engine, "GET /events"),
    ]
    followers = [Follower(engine, ids[number]) for number in (0, 1)]
    before, calls = memory(engine), Calls(engine)
    calls.start()
    for container in ids:
        assert docker.api("POST", f"/containers/{container}/start")[0] == 204
    begin = time.monotonic()
    for follower in followers:
        follower.start()
    for container in ids:
        assert docker.api("POST", f"/containers/{container}/wait")[1]["StatusCode"] == 0
    took = time.monotonic() - begin
    calls.over.set()
    calls.join()
    for follower in followers:
        follower.join(60)
    after = memory(engine)
    expected = list(range(1, count + 1))
    for container in ids:
        assert written(engine, container) == expected
    assert followers[0].numbers == followers[1].numbers == expected
    assert docker.ok("logs --tail 3 noisy") == "\n".join([PAD] * 3)
    slow = quantiles(calls.took, n=100)[98]
    with capsys.disabled():
        print(
            f"\n{CONTAINERS * count / took:,.0f} lines/s from {CONTAINERS} containers for {took:.1f} s, none lost; "
            f"list p50 {quantiles(calls.took, n=2)[0] * 1e3:.0f} ms p99 {slow * 1e3:.0f} ms; "
            f"engine {before >> 20} -> {after >> 20} MiB"
        )
    assert after - before < 24 << 20
    assert slow < 3
    for client in clients:
        client.close()


@pytest.mark.timeout(60 + LINE // (4 << 20))
def test_a_line_without_end(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok(f"create --name endless --network none busy sh -c 'head -c {LINE} /dev/zero | tr \"\\0\" x'")
    before = memory(engine)
    docker.ok("start endless")
    assert docker.ok("wait endless", timeout=600) == "0"
    longest = total = 0
    for query in ("stdout=1", "stdout=1&tail=1&timestamps=1"):
        link = stuck(engine, f"GET /v1.41/containers/endless/logs?{query}")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        answer = http.client.HTTPResponse(link)
        answer.begin()
        total = longest = 0
        while head := answer.read(8):
            length = int.from_bytes(head[4:], "big")
            text = answer.read(length)
            stamp = 31 if "timestamps" in query else 0
            assert text[stamp:].strip(b"x") == b""
            total, longest = total + length - stamp, max(longest, length - stamp)
        assert total == LINE
        assert longest <= 16 * 1024
        link.close()
    assert memory(engine) - before < 24 << 20


@pytest.mark.parametrize("tty", [False, True])
def test_any_bytes_are_kept_exactly(engine: RunningEngine, tty: bool) -> None:
    data = bytes(range(256)) * 3 + b"\r\nline\r\n\n\nlast \xff\xfe\0 no newline"
    name = f"bytes-{int(tty)}"
    (engine.root / "bytes").write_bytes(data)
    options = f"-t={str(tty).lower()} --network none -v {engine.root}/bytes:/bytes:ro"
    script = "stty raw 2>/dev/null; cat /bytes"
    engine.docker.ok(f"create --name {name} {options} busy sh -c '{script}'")
    engine.docker.ok(f"start {name}")
    engine.docker.ok(f"wait {name}")
    link = stuck(engine, f"GET /containers/{name}/logs?stdout=1")
    answer = http.client.HTTPResponse(link)
    answer.begin()
    text = answer.read()
    link.close()
    assert (text if tty else b"".join(part for _, part in stdcopy.Reader().feed(text))) == data


def test_a_thousand_followers_come_and_go(engine: RunningEngine) -> None:
    docker = engine.docker
    container = docker.ok("run -d --network none --name shown busy sh -c 'echo first; sleep 600'")

    def tasks() -> int:
        return int(docker.api("GET", "/info")[1]["NGoroutines"])

    def follow() -> None:
        link = stuck(engine, f"GET /containers/{container}/logs?stdout=1&follow=1")
        assert b"200 OK" in link.recv(4096)
        link.close()

    follow()
    time.sleep(0.3)
    base = descriptors(engine), tasks()
    for _ in range(1000):
        follow()
    ends = time.monotonic() + 15
    while (now := (descriptors(engine), tasks())) > base and time.monotonic() < ends:
        time.sleep(0.2)
    assert now[0] <= base[0] + 1
    assert now[1] <= base[1] + 1


@pytest.mark.parametrize("options", ["--log-driver none", "--log-opt max-size=100k"])
def test_who_is_attached_gets_all_though_files_go(engine: RunningEngine, options: str) -> None:
    script = "i=0; while [ $i -lt 6 ]; do i=$((i+1)); seq $((i*50000)) $((i*50000+49999)); usleep 400000; done"
    command = f"docker run --rm --network none {options} busy sh -c '{script}' | (sleep 2; cat)"
    done = subprocess.run(command, shell=True, env=engine.docker.env, capture_output=True, check=False, timeout=60)
    assert done.stderr == b""
    assert done.stdout.split() == [b"%d" % number for number in range(50_000, 350_000)]
