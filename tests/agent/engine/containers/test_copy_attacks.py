"""Copies in and out of containers that fight back. ``LONGSHORE_COPIES`` asks for more copies than the short sample."""

import http.client
import io
import lzma
import os
import socket
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from tests.agent.engine.conftest import IMAGE, RunningEngine

COPIES = int(os.environ.get("LONGSHORE_COPIES", "80"))
LONGEST = 120 if COPIES <= 80 else 3600
SECONDS = 8.0
"""Of the sample, where the machine is slow."""


class Files:
    """The archive routes of one container."""

    def __init__(self, engine: RunningEngine, name: str) -> None:
        self._engine, self._name = engine, name

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("docker", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(str(self._engine.socket))
        try:
            connection.request(method, f"/containers/{self._name}/archive?path={quote(path)}", body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def take(self, path: str) -> tuple[int, bytes]:
        return self._ask("GET", path)

    def put(self, path: str, body: bytes) -> int:
        return self._ask("PUT", path, body)[0]


def archive(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        made.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """A file of the host; whatever the test does, it stays as it is and alone."""
    (tmp_path / "host").mkdir()
    path = tmp_path / "host/secret"
    path.write_text("the host's own")
    yield path
    assert path.read_text() == "the host's own"
    assert [one.name for one in path.parent.iterdir()] == ["secret"]


def fight(files: Files, way: str) -> tuple[int, int]:
    """Copy in and out of a place that is a folder, a link and nothing, in turns; how often each went well."""
    ins = outs = 0
    evil = archive("secret", b"evil")
    ends = time.monotonic() + (SECONDS if COPIES <= 80 else 1 << 20)
    for _ in range(COPIES):
        status, data = files.take(f"{way}/secret")
        assert status in {200, 404, 500}
        assert b"the host's own" not in data
        outs += status == 200
        status = files.put(way, evil)
        assert status in {200, 404, 500}
        ins += status == 200
        if time.monotonic() > ends:
            break
    return ins, outs


def swapping(way: str, target: Path) -> str:
    """A program that does nothing but swap."""
    return (
        f"while true; do mkdir -p {way}; echo mine > {way}/secret; rm -rf {way}; "
        f"ln -s {target} {way}; rm {way}; ln -s /proc/1/root {way}; rm {way}; done"
    )


@pytest.mark.timeout(LONGEST)
def test_c1_a_folder_swapped_while_it_runs(engine: RunningEngine, secret: Path) -> None:
    engine.docker.ok(f'run -d --name fighter {IMAGE} sh -c "{swapping("/way", secret.parent)}"')
    ins, outs = fight(Files(engine, "fighter"), "/way")
    assert ins + outs, "no copy met a folder"


@pytest.mark.timeout(LONGEST)
def test_c1_a_folder_of_a_stopped_container_swapped_through_a_volume(engine: RunningEngine, secret: Path) -> None:
    engine.docker.ok(f"create --name still -v ring:/ring {IMAGE} true")
    engine.docker.ok(f'run -d --name fighter -v ring:/ring {IMAGE} sh -c "{swapping("/ring/way", secret.parent)}"')
    fight(Files(engine, "still"), "/ring/way")


def test_c2_a_mountpoint_that_is_a_link(engine: RunningEngine, secret: Path) -> None:
    """The place of a volume in the container's own layer leads to the host; before a start it may, after one too."""
    engine.docker.ok(f"create --name lured -v lure:/place/deep {IMAGE} sleep 1000")
    upper = next((engine.data / "snapshots").iterdir()) / "upper"
    for made in (upper / "place", upper / "place2"):
        made.symlink_to(secret.parent)
    files = Files(engine, "lured")
    assert files.put("/place/deep", archive("secret", b"evil")) in {200, 404, 500}
    engine.docker("start lured")
    assert files.put("/place/deep", archive("secret", b"evil")) in {200, 404, 500}
    assert b"the host's own" not in files.take("/place/secret")[1]


@pytest.mark.parametrize("pack", [lzma.compress, zstandard.ZstdCompressor().compress], ids=["xz", "zstd"])
def test_c3_no_program_of_the_container_unpacks(engine: RunningEngine, pack: object) -> None:
    engine.docker.ok(f"run -d --name own {IMAGE} sleep 1000")
    program = "#!/bin/sh\ntouch /marker\n"
    for name in ("xz", "unxz", "zstd", "unpigz", "gzip", "python3"):
        for folder in ("/usr/bin", "/usr/local/bin", "/bin"):
            engine.docker(f"exec -i own sh -c 'mkdir -p {folder}; cat > {folder}/{name}; chmod 755 {folder}/{name}'",
                          stdin=program)  # fmt: skip
    assert Files(engine, "own").put("/tmp", pack(archive("arrived", b"x"))) == 200  # type: ignore[operator]
    assert engine.docker.ok("exec own ls /tmp/arrived") == "/tmp/arrived"
    assert engine.docker("exec own ls /marker").code != 0


def test_c4_magic_links_and_what_is_no_file(engine: RunningEngine, secret: Path) -> None:
    engine.docker.ok(f"run -d --name odd --cap-add MKNOD -v odd:/odd {IMAGE} sleep 1000")
    engine.docker.ok("exec odd sh -c 'mkfifo /odd/fifo; mknod /odd/null c 1 3; truncate -s 1024G /odd/sparse; "
                     "ln -s /proc/self/root /odd/root; ln -s /proc/1/fd/0 /odd/fd'")  # fmt: skip
    files = Files(engine, "odd")
    for path in ("/proc/self/root/etc/passwd", "/proc/1/root/etc/passwd", "/proc/1/fd/0/", "/odd/root/etc/passwd",
                 f"/odd/root{secret}", "/odd/fd/"):  # fmt: skip
        status, data = files.take(path)
        assert status == 404, (path, data[:200])
    for path, kind in (("/odd/fifo", tarfile.FIFOTYPE), ("/odd/null", tarfile.CHRTYPE), ("/odd/fd", tarfile.SYMTYPE)):
        status, data = files.take(path)
        assert status == 200
        with tarfile.open(fileobj=io.BytesIO(data)) as opened:
            (member,) = opened.getmembers()
        assert (member.type, member.size) == (kind, 0)


def test_c4_a_sparse_tebibyte_takes_no_memory_and_no_time_of_others(engine: RunningEngine) -> None:
    engine.docker.ok(f"run -d --name odd {IMAGE} sleep 1000")
    engine.docker.ok("exec odd truncate -s 1024G /sparse")
    process = engine.process
    assert process is not None

    def memory() -> int:
        rows = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS"))

    before = memory()
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(30)
        link.connect(str(engine.socket))
        link.sendall(b"GET /containers/odd/archive?path=/sparse HTTP/1.1\r\nHost: docker\r\n\r\n")
        seen = 0
        while seen < 200 << 20:
            seen += len(link.recv(1 << 20))
        began = time.monotonic()
        engine.docker.ok("exec odd true")
        assert time.monotonic() - began < 10
        assert memory() - before < 32 << 10
