"""A registry of its own for these tests, in a process that can be killed, and clients for it."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = b"{}"


class Server:
    """The registry's process."""

    def __init__(self, data: Path, inside: tuple[str, ...] = ()) -> None:
        self.data = data
        self.inside = inside  # what enters another network namespace
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self.environment = os.environ | {
            "LONGSHORE_DATA": str(data),
            "LONGSHORE_URL": self.url,
            "DATABASE_URL": "",
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "PYTHONPATH": str(ROOT),
        }
        self.start()

    def start(self) -> None:
        """Start, or start again on the same data."""
        command = [*self.inside, sys.executable, HERE / "server.py", str(self.port)]
        self.process = subprocess.Popen(command, env=self.environment, cwd=ROOT)
        probe = [*self.inside, "bash", "-c", f"exec 2>/dev/null 3<>/dev/tcp/127.0.0.1/{self.port}"]
        for _ in range(300):
            if subprocess.run(probe, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise TimeoutError("the registry does not answer")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop it by a signal."""
        self.process.send_signal(number)
        self.process.wait(20)

    def manage(self, code: str) -> str:
        """Run Python beside the registry, on its records; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", f"import django; django.setup()\n{code}"],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


class Client:
    """Requests with a token."""

    def __init__(self, server: Server, user: str, *scopes: str) -> None:
        self.url = server.url
        answer = requests.get(
            f"{server.url}/v2/token", params={"service": server.host, "scope": list(scopes)},
            auth=(user, "correct horse"), timeout=10,
        )  # fmt: skip
        self.token = answer.json()["token"]

    def __call__(self, method: str, path: str, **kwargs) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | kwargs.pop("headers", {})
        address = path if path.startswith("http") else self.url + path
        return requests.request(method, address, headers=headers, timeout=30, allow_redirects=False, **kwargs)

    def push_blob(self, name: str, content: bytes) -> str:
        """In one go; returns the digest."""
        digest = digest_of(content)
        answer = self("POST", f"/v2/{name}/blobs/uploads/", params={"digest": digest}, data=content)
        assert answer.status_code == 201, answer.text
        return digest

    def push_image(self, name: str, reference: str, *layers: bytes, **extra) -> str:
        """An image of these layers; returns the manifest's digest."""
        config = json.dumps({"layers": [digest_of(layer) for layer in layers]}).encode()
        for blob in (config, *layers):
            self.push_blob(name, blob)
        body = json.dumps(manifest(config, *layers, **extra)).encode()
        answer = self.put_manifest(name, reference, body)
        assert answer.status_code == 201, answer.text
        return digest_of(body)

    def put_manifest(self, name: str, reference: str, body: bytes, kind: str = OCI_MANIFEST) -> requests.Response:
        return self("PUT", f"/v2/{name}/manifests/{reference}", data=body, headers={"Content-Type": kind})


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(content: bytes, kind: str = "application/octet-stream") -> dict:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


def manifest(config: bytes, *layers: bytes, **extra) -> dict:
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers],
        **extra,
    }


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("registry"))
    yield server
    server.stop()


@pytest.fixture
def wire(registry: Server) -> Client:
    """May do everything in the repositories that tests use."""
    names = ("a", "b", "team/app", "gc")
    return Client(registry, "owner", *[f"repository:{name}:*" for name in names])
