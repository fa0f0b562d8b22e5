"""The real docker CLI (against Debian's dockerd) and skopeo log in, push and pull."""

import io
import json
import socket
import struct
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.registry.conftest import Server, digest_of
from tests.peer import dockerd

PASSWORD = "correct horse"


def skopeo(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=60, check=False)


def make_layout(folder: Path) -> Path:
    """An OCI layout of one image with one layer."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        info = tarfile.TarInfo("hello")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"hi\n"))
    layer = raw.getvalue()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Labels": {"made": uuid.uuid4().hex}},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        "history": [{"created_by": "test"}],
    }).encode()  # fmt: skip
    body = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [described(layer, "application/vnd.oci.image.layer.v1.tar")],
    }
    manifest = json.dumps(body).encode()
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for each in (layer, config, manifest):
        (blobs / digest_of(each)[7:]).write_bytes(each)
    index = {"schemaVersion": 2, "manifests": [described(manifest, body["mediaType"])]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def described(content: bytes, kind: str) -> dict:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


def test_skopeo(registry: Server, tmp_path: Path) -> None:
    layout = make_layout(tmp_path / "layout")
    target = f"docker://{registry.host}/skopeo/image:v1"
    pushed = skopeo("copy", "--dest-tls-verify=false", "--dest-creds", f"pusher:{PASSWORD}", f"oci:{layout}", target)
    assert pushed.returncode == 0, pushed.stderr
    copy = tmp_path / "copy"
    pulled = skopeo("copy", "--src-tls-verify=false", "--src-creds", f"viewer:{PASSWORD}", target, f"oci:{copy}:x")
    assert pulled.returncode == 0, pulled.stderr
    refused = skopeo("copy", "--dest-tls-verify=false", "--dest-creds", f"viewer:{PASSWORD}", f"oci:{layout}", target)
    assert refused.returncode != 0
    assert "denied" in refused.stderr
    tags = skopeo("list-tags", "--tls-verify=false", "--creds", f"viewer:{PASSWORD}", target.rpartition(":")[0])
    assert json.loads(tags.stdout)["Tags"] == ["v1"]
    deleted = skopeo("delete", "--tls-verify=false", "--creds", f"owner:{PASSWORD}", target)
    assert deleted.returncode == 0, deleted.stderr


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[str]:
    with dockerd(tmp_path) as host:
        yield host


@pytest.fixture
def beside_peer(tmp_path: Path, peer: str) -> Iterator[Server]:
    """A registry in the network namespace of dockerd, which is the one that connects."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(peer.removeprefix("unix://"))
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid = struct.unpack("3i", credentials)[0]
    server = Server(tmp_path / "registry", ("nsenter", f"--net=/proc/{pid}/ns/net"))
    yield server
    server.stop()


@pytest.mark.peer
def test_docker(beside_peer: Server, peer: str, tmp_path: Path) -> None:
    registry = beside_peer
    name = f"{registry.host}/docker/image:{uuid.uuid4().hex[:8]}"

    def docker(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess:
        command = ["docker", "--config", str(tmp_path / "config"), "-H", peer, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=90, check=False)

    wrong = docker("login", "-u", "pusher", "--password-stdin", registry.host, stdin=b"wrong")
    assert b"incorrect username or password" in wrong.stderr
    login = docker("login", "-u", "pusher", "--password-stdin", registry.host, stdin=PASSWORD.encode())
    assert b"Login Succeeded" in login.stdout, login.stderr
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(uuid.uuid4().hex))
    imported = docker("import", "-", name, stdin=raw.getvalue()).stdout.strip()
    try:
        pushed = docker("push", name)
        assert pushed.returncode == 0, pushed.stderr
        docker("rmi", name)
        pulled = docker("pull", name)
        assert pulled.returncode == 0, pulled.stderr
        assert docker("image", "inspect", "-f", "{{.Id}}", name).stdout.strip() == imported
        docker("login", "-u", "viewer", "--password-stdin", registry.host, stdin=PASSWORD.encode())
        assert b"denied" in docker("push", name).stderr
    finally:
        docker("rmi", name)
