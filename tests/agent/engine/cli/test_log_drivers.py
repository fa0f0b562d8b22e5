"""Log drivers by the real CLI: where lines go, that none is lost or comes twice, and what ``docker logs`` shows."""

import contextlib
import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.engine.conftest import RunningEngine, running_engine

COUNT = "i=0; while [ $i -lt {0} ]; do i=$((i+1)); echo n $i; {1} done"


class Server:
    """A syslog server that keeps what comes; ``kind`` is a scheme of ``syslog-address``."""

    def __init__(self, kind: str, directory: Path, context: ssl.SSLContext | None = None) -> None:
        family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
        datagrams = kind in {"unixgram", "udp"}
        self._socket = socket.socket(family, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
        self._socket.bind(str(directory / "log.sock") if family == socket.AF_UNIX else ("127.0.0.1", 0))
        where = self._socket.getsockname()
        self.address = f"{kind}://{where if family == socket.AF_UNIX else f'127.0.0.1:{where[1]}'}"
        self._context, self._lock, self._text = context, threading.Lock(), b""
        self._links: list[socket.socket] = []
        if datagrams:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            threading.Thread(target=self._receive, args=[self._socket], daemon=True).start()
        else:
            self._socket.listen()
            threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            self._links.append(link)
            threading.Thread(target=self._serve, args=[link], daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        try:
            self._receive(self._context.wrap_socket(link, server_side=True) if self._context else link)
        except OSError:
            link.close()

    def _receive(self, link: socket.socket) -> None:
        while True:
            try:
                data = link.recv(65536)
            except OSError:
                return
            if not data:
                link.close()
                return
            with self._lock:
                self._text += data

    def lines(self) -> list[str]:
        with self._lock:
            return self._text.decode().splitlines()

    def wait(self, count: int, seconds: float = 30) -> list[str]:
        """At least so many lines, and a moment for any more."""
        ends = time.monotonic() + seconds
        while len(self.lines()) < count and time.monotonic() < ends:
            time.sleep(0.05)
        time.sleep(0.2)
        return self.lines()

    def close(self) -> None:
        for link in [*self._links, self._socket]:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextlib.contextmanager
def serving(kind: str, directory: Path, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(kind, directory, context)
    try:
        yield server
    finally:
        server.close()


def options(server: Server, **more: str) -> str:
    given = {"syslog-address": server.address, **{name.replace("_", "-"): value for name, value in more.items()}}
    return "--network none --log-driver syslog " + " ".join(f"--log-opt '{key}={given[key]}'" for key in given)


def numbers(lines: list[str]) -> list[int]:
    return [int(line.rpartition(" n ")[2]) for line in lines]


@pytest.mark.parametrize("kind", ["unix", "unixgram", "udp", "tcp"])
def test_every_line_reaches_syslog(engine: RunningEngine, tmp_path: Path, kind: str) -> None:
    with serving(kind, tmp_path) as server:
        given = options(server, tag="{{.Name}}", syslog_facility="local3", syslog_format="rfc3164")
        script = "echo out; echo err >&2; echo; printf part; sleep 0.3; echo ial; printf end"
        assert "out" in engine.docker.ok(f"run --rm --name sender {given} busy sh -c '{script}'")
        lines = server.wait(4)
    host = re.escape(socket.gethostname())
    assert all(re.fullmatch(rf"<15[58]>\w+ .\d \d\d:\d\d:\d\d {host} sender\[\d+\]: \w+", line) for line in lines), (
        lines
    )
    assert sorted(line.rpartition(": ")[2] for line in lines) == ["end", "err", "out", "partial"]
    assert sum(line.startswith("<155>") for line in lines) == 1


def test_what_syslog_got_can_be_read_here_too(engine: RunningEngine, tmp_path: Path) -> None:
    docker = engine.docker
    with serving("unixgram", tmp_path) as server:
        docker.ok(f"run --name both {options(server)} busy echo hello")
        assert docker.ok("logs both") == "hello"
        assert docker.inspect("both")["HostConfig"]["LogConfig"]["Type"] == "syslog"
        assert docker.inspect("both")["LogPath"] == ""
        docker.ok(f"run --name uncached {options(server, cache_disabled='true')} busy echo hello")
        done = docker("logs uncached")
        assert (done.code, "configured logging driver does not support reading" in done.err) == (1, True)
        assert docker.api("GET", f"/containers/{docker.inspect('uncached')['Id']}/logs?stdout=1")[0] == 501
        assert len(server.wait(2)) == 2


def test_tls_checks_the_server(engine: RunningEngine, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving("tcp+tls", tmp_path, context) as server:
        given = options(server, syslog_tls_ca_cert=str(certificate), syslog_format="rfc5424")
        engine.docker.ok(f"run --rm {given} busy echo over tls")
        (line,) = server.wait(1)
        assert re.fullmatch(r"\d+ <30>1 \S+ \S+ \w{12} \d+ \w{12} - over tls", line)
        refused = engine.docker(f"run --rm {options(server)} busy true")
        assert (refused.code, "failed to initialize logging driver" in refused.err) == (125, True)
        assert "tls: self-signed certificate" in refused.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--log-driver journald", "failed to initialize logging driver: journald is not enabled on this host"),
        (
            "--log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:1",
            "dial tcp 127.0.0.1:1: connect: connection refused",
        ),
        ("--log-opt max-size=abc", "failed to initialize logging driver: invalid size: 'abc'"),
        ("--log-driver nosuch", 'error looking up logging plugin nosuch: plugin "nosuch" not found'),
        ("--log-opt x=1", "unknown log opt 'x' for json-file log driver"),
    ],
)
def test_a_driver_that_cannot_work_is_told(engine: RunningEngine, given: str, words: str) -> None:
    done = engine.docker(f"run --rm --network none {given} busy true")
    assert (done.code, words in done.err) == (125, True), done.err
    assert engine.docker.ok("ps -aq") == ""


def test_a_server_that_was_away_gets_all(engine: RunningEngine, tmp_path: Path) -> None:
    docker = engine.docker
    with serving("unix", tmp_path) as server:
        docker.ok(f"run -d --name patient {options(server)} busy sh -c '{COUNT.format(20, 'sleep 0.1;')}; sleep 600'")
        assert server.wait(3)
        first = server.address.partition("://")[2]
    Path(first).unlink()
    time.sleep(0.7)
    early = numbers(server.lines())
    with serving("unix", tmp_path) as again:
        ends = time.monotonic() + 20
        while time.monotonic() < ends and (not again.lines() or numbers(again.lines())[-1] < 20):
            time.sleep(0.1)
        late = numbers(again.lines())
    # What the old server's socket had taken and it never read is lost with it: nobody can know of that.
    assert late == list(range(late[0], 21))
    assert late[0] <= early[-1] + 10
    docker.ok("rm -f patient")


def test_killed_engines_lose_and_repeat_nothing(own_engine: RunningEngine, tmp_path: Path) -> None:
    docker = own_engine.docker
    with serving("unixgram", tmp_path) as server:
        busy = f"run -d --name busy {options(server)} --log-opt cache-max-size=60k --log-opt cache-max-file=50"
        docker.ok(f"{busy} busy sh -c '{COUNT.format(20_000, '')}; sleep 600'")
        for pause in (0.05, 0.3, 0.1):
            time.sleep(pause)
            own_engine.kill9()
            time.sleep(0.1)
            own_engine.start()
        lines = server.wait(20_000, 60)
        assert numbers(lines) == list(range(1, 20_001))
        docker.ok("rm -f busy")


def test_a_removed_containers_last_lines_are_sent(own_engine: RunningEngine, tmp_path: Path) -> None:
    with serving("tcp", tmp_path) as server:
        own_engine.docker.ok(f"run --rm {options(server)} busy sh -c '{COUNT.format(3000, '')}'", timeout=60)
        assert numbers(server.wait(3000)) == list(range(1, 3001))
    assert not list(own_engine.data.glob("containers/*/forward*"))


def test_the_engines_default_driver(tmp_path: Path) -> None:
    with running_engine("--log-driver", "local", "--log-opt", "max-size=2m") as engine:
        docker = engine.docker
        assert (
            docker.ok("info --format '{{.LoggingDriver}} {{.Plugins.Log}}'")
            == "local [journald json-file local syslog]"
        )
        docker.ok("run --name quiet --network none busy echo kept")
        assert docker.inspect("quiet")["HostConfig"]["LogConfig"] == {"Type": "local", "Config": {"max-size": "2m"}}
        assert docker.ok("logs quiet") == "kept"
        docker.ok("run --name other --network none --log-driver json-file busy true")
        assert docker.inspect("other")["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {}}
        none = docker("run --name none --network none --log-driver none busy echo shown")
        assert none.out == "shown\n"
        assert "does not support reading" in docker("logs none").err


def test_details_and_rotation(engine: RunningEngine) -> None:
    docker = engine.docker
    given = "--label a=1 --env Q='x y' --log-opt labels=a --log-opt env-regex=^Q --log-opt tag={{.Name}} --network none"
    docker.ok(f"run --name told {given} busy echo line")
    assert docker.ok("logs --details told") == "Q=x+y,a=1,tag=told line"
    bounds = "--log-opt max-size=20k --log-opt max-file=4 --log-opt compress=true --network none"
    docker.ok(
        f"run -d --name turning {bounds} busy sh -c '{COUNT.format(60, 'usleep 50000; echo ' + 'x' * 900 + ';')}'"
    )
    assert docker.ok("wait turning", timeout=60) == "0"
    files = sorted(path.name[71:] for path in engine.data.glob(f"containers/{docker.inspect('turning')['Id']}/*.log*"))
    assert len(files) > 1
    assert files[-1].endswith(".gz"), files
    shown = [int(line[2:]) for line in docker.ok("logs turning").splitlines() if line.startswith("n ")]
    assert shown == list(range(shown[0], 61))
    assert len(docker.ok("logs --tail 50 turning").splitlines()) == min(50, 2 * len(shown))


JOURNALD = """
set -e
mount --make-rprivate /
mkdir -p /run/systemd /run/log
mount -t tmpfs tmpfs /run/systemd
mount -t tmpfs tmpfs /run/log
mkdir /run/systemd/journal
mount --bind {0}/machine-id /etc/machine-id
mount --bind {0}/journald.conf /etc/systemd/journald.conf
exec /lib/systemd/systemd-journald
"""


class Journal:
    """A systemd-journald in a mount namespace of its own."""

    def __init__(self, directory: Path) -> None:
        (directory / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (directory / "journald.conf").write_text("[Journal]\nStorage=volatile\nRateLimitBurst=0\nReadKMsg=no\n")
        command = ["unshare", "--mount", "sh", "-c", JOURNALD.format(directory)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._root = Path(f"/proc/{self._process.pid}/root")
        self.socket = self._root / "run/systemd/journal/socket"

    def wait(self) -> None:
        """Until it listens."""
        ends = time.monotonic() + 20
        while not self.socket.is_socket():
            assert self._process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.05)

    def entries(self, name: str) -> list[dict[str, str]]:
        """What it has of a container."""
        command = ["journalctl", "-D", self._root / "run/log/journal", "-o", "json", f"CONTAINER_NAME={name}"]
        done = subprocess.run(command, capture_output=True, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def close(self) -> None:
        """End it; its files go with its namespace."""
        self._process.kill()
        self._process.wait()


def test_every_line_reaches_journald_once(tmp_path: Path) -> None:
    with (
        contextlib.closing(Journal(tmp_path)) as journal,
        running_engine("--journal-socket", str(journal.socket)) as own,
    ):
        journal.wait()
        docker = own.docker
        given = "--network none --log-driver journald --log-opt tag={{.Name}}-x --log-opt labels=my.label"
        docker.ok(f"run --name teller {given} --label my.label=v busy sh -c 'echo out; echo err >&2; printf no-end'")
        docker.ok(f"run -d --name counter {given} busy sh -c '{COUNT.format(6000, '')}; sleep 600'")
        for pause in (0.1,):
            time.sleep(pause)
            own.kill9()
            own.start()
        ends = time.monotonic() + 30
        while len(counted := journal.entries("counter")) < 6000 and time.monotonic() < ends:
            time.sleep(0.3)
        assert [int(entry["MESSAGE"][2:]) for entry in counted] == list(range(1, 6001))
        entries = {entry["MESSAGE"]: entry for entry in journal.entries("teller")}
        assert {text: entry["PRIORITY"] for text, entry in entries.items()} == {"out": "6", "err": "3", "no-end": "6"}
        first = entries["out"]
        assert (first["CONTAINER_TAG"], first["SYSLOG_IDENTIFIER"], first["MY_LABEL"]) == ("teller-x", "teller-x", "v")
        assert first["CONTAINER_ID_FULL"] == docker.inspect("teller")["Id"]
        assert first["IMAGE_NAME"] == "busy"
        assert docker.ok("logs --details teller").splitlines()[0].endswith("my.label=v out")
        assert docker.ok("logs --tail 1 counter") == "n 6000"
        docker.ok("rm -f teller counter")
