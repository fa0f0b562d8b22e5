"""The API on TCP with mutual TLS, by the docker CLI: streams, half-close, and who is refused."""

import contextlib
import hashlib
import os
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.commandline import parse
from agent.engine.config import EngineConfig
from agent.engine.errors import Invalid
from scripts.launch.purge import purge_engine
from tests.agent.engine.cli.docker import NEW, OLD, Docker
from tests.agent.engine.conftest import REPOSITORY
from tests.busybox import import_into
from tests.netns import Namespace

PORT = 2376


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def authority(folder: Path, name: str) -> None:
    """A CA and one certificate of it, good for 127.0.0.1 and for clients."""
    usage = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth"
    (folder / "usage").write_text(usage)
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}")
    openssl(folder, *new, "-x509", "-days", "2", "-keyout", f"{name}-ca-key.pem", "-out", f"{name}-ca.pem")
    openssl(folder, *new, "-keyout", f"{name}-key.pem", "-out", f"{name}.csr")
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem", "-CAkey", f"{name}-ca-key.pem",
        "-CAcreateserial", "-days", "2", "-extfile", "usage", "-out", f"{name}.pem",
    )  # fmt: skip


class Served:
    """An engine that lives in a namespace whole, with its TCP port, and its files."""

    def __init__(self, folder: Path, namespace: Namespace) -> None:
        self.folder, self.namespace = folder, namespace
        program = NEW if Path(NEW).exists() else OLD
        self.docker = Docker(program, folder / "docker.sock", folder / "cli")

    def over_tls(self, line: str, name: str = "own", stdin: bytes = b"", timeout: float = 30) -> tuple[int, str]:
        """A docker command over TCP with one of the certificates; its code and all it says."""
        files = [f"--tlscacert={self.folder}/own-ca.pem", f"--tlscert={self.folder}/{name}.pem"]
        argv = [self.docker.program, "--tlsverify", *files, f"--tlskey={self.folder}/{name}-key.pem"]
        env = {key: value for key, value in self.docker.env.items() if key != "DOCKER_HOST"}
        done = subprocess.run(
            self.namespace.argv(*argv, "-H", f"tcp://127.0.0.1:{PORT}", *shlex.split(line)),
            env=env, input=stdin, capture_output=True, timeout=timeout, check=False,
        )  # fmt: skip
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="ls-tls.", dir=os.environ.get("LONGSHORE_TEST_TMP", "/tmp")))
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("own", "strange"):
            authority(folder, name)
        namespace = Namespace(f"ls-tls{secrets.token_hex(2)}")
        undo.callback(namespace.remove)
        undo.callback(purge_engine, EngineConfig(root=folder / "data", socket=folder / "docker.sock"), network=False)
        log = undo.enter_context((folder / "log").open("wb"))
        engine = subprocess.Popen(
            namespace.argv(
                sys.executable, "-m", "agent", "engine", "--root", f"{folder}/data", "--socket",
                f"{folder}/docker.sock", "--tcp", f"127.0.0.1:{PORT}", "--tlscacert", f"{folder}/own-ca.pem",
                "--tlscert", f"{folder}/own.pem", "--tlskey", f"{folder}/own-key.pem",
            ),
            cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        undo.callback(engine.wait, 20)
        undo.callback(engine.send_signal, signal.SIGKILL)
        found = Served(folder, namespace)
        for _ in range(400):
            if found.docker("version").code == 0:
                break
            assert engine.poll() is None, (folder / "log").read_text()[-3000:]
            time.sleep(0.1)
        import_into(f"unix://{folder}/docker.sock", "busy:latest")
        yield found
        found.docker.clean()


def test_it_works(served: Served) -> None:
    assert served.over_tls("version --format {{.Server.Os}}") == (0, "linux\n")
    assert served.over_tls("run --rm busy sh -c 'echo out; echo err >&2; exit 3'") == (3, "out\nerr\n")
    assert served.over_tls("run --rm --network none busy cat /etc/group") == (0, "root:x:0:\nnogroup:x:65534:\n")


def test_trap_4_half_close(served: Served) -> None:
    """The client ends its half by TLS's notice, and reads on."""
    data = os.urandom(300_000)
    code, out = served.over_tls("run --rm -i busy sha256sum", stdin=data)
    assert (code, out.split()[0]) == (0, hashlib.sha256(data).hexdigest())
    code, out = served.over_tls("run --rm -i busy sh -c 'cat; sleep 1; echo late'", stdin=b"early\n")
    assert (code, out) == (0, "early\nlate\n")


def test_much_output(served: Served) -> None:
    code, out = served.over_tls("run --rm busy seq 200000")
    assert code == 0
    assert out == "".join(f"{number}\n" for number in range(1, 200001))


def test_a_stranger_s_certificate_is_refused(served: Served) -> None:
    code, out = served.over_tls("version", "strange")
    assert code != 0
    assert "tls" in out.lower() or "certificate" in out.lower()


@pytest.mark.parametrize("hello", [b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 600])
def test_plain_words_are_not_heard(served: Served, hello: bytes) -> None:
    with served.namespace.entered(), socket.create_connection(("127.0.0.1", PORT), timeout=10) as link:
        link.sendall(hello)
        answer = b"".join(iter(lambda: _received(link), b""))
    assert b"HTTP" not in answer
    assert b"OK" not in answer


def test_no_certificate_is_refused(served: Served) -> None:
    trusting = ssl.create_default_context(cafile=str(served.folder / "own-ca.pem"))
    with served.namespace.entered(), socket.create_connection(("127.0.0.1", PORT), timeout=10) as link:
        answer = b""
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            tls = trusting.wrap_socket(link, server_hostname="127.0.0.1")
            tls.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
            answer = tls.recv(4096)
    assert answer == b""


def _received(link: socket.socket) -> bytes:
    try:
        return link.recv(4096)
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--tcp 127.0.0.1:2376", "plain TCP would make every caller root here"),
        ("--tcp 127.0.0.1:2376 --tlscacert /a --tlscert /b", "plain TCP"),
        ("--tcp 2376 --tlscacert /a --tlscert /b --tlskey /c", "HOST:PORT"),
        ("--tcp h:99999 --tlscacert /a --tlscert /b --tlskey /c", "HOST:PORT"),
        ("--tlscert /b", "are for --tcp"),
    ],
)
def test_what_cannot_be_asked_for(given: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        parse(["--root", "/r", "--socket", "/s", *given.split()])


def test_an_address_is_read() -> None:
    files = "--tlscacert /a --tlscert /b --tlskey /c"
    door = parse(f"--root /r --socket /s --tcp [::1]:2376 {files}".split()).tcp
    assert door is not None
    assert (door.host, door.port, door.authority) == ("::1", 2376, Path("/a"))
    assert parse(["--root", "/r", "--socket", "/s"]).tcp is None
