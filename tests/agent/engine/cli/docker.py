"""The real docker CLI against one engine: what a test holds in its hand."""

import http.client
import json
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEW, OLD = "/usr/local/bin/docker", "/usr/bin/docker"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class _Http(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=20)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Docker:
    """One CLI and one engine. ``docker("run --rm busy true")`` runs it; ``api(...)`` asks the socket itself."""

    def __init__(self, program: str, socket_path: Path, home: Path) -> None:
        self.program, self.socket = program, socket_path
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER", "BUILDKIT"))}
        self.env |= {"DOCKER_HOST": f"unix://{socket_path}", "DOCKER_CONFIG": str(home), "DOCKER_BUILDKIT": "0"}
        self.env |= {"DOCKER_CLI_HINTS": "false", "LC_ALL": "C.UTF-8"}

    def __call__(self, line: str, *, stdin: str | bytes = b"", timeout: float = 30) -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [self.program, *shlex.split(line)],
            env=self.env,
            input=data,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def ok(self, line: str, *, stdin: str | bytes = b"", timeout: float = 30) -> str:
        """Output of a command that must succeed, stripped."""
        done = self(line, stdin=stdin, timeout=timeout)
        assert done.code == 0, f"docker {line}: {done}"
        return done.out.strip()

    def start(self, line: str) -> "subprocess.Popen[bytes]":
        """A command that goes on beside the test."""
        pipe = subprocess.PIPE
        return subprocess.Popen([self.program, *shlex.split(line)], env=self.env, stdin=pipe, stdout=pipe, stderr=pipe)

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of one request."""
        connection = _Http(str(self.socket))
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, raw.decode(errors="replace")

    def headers(self, path: str) -> dict[str, str]:
        """The headers of the answer to a GET."""
        connection = _Http(str(self.socket))
        try:
            connection.request("GET", path)
            return dict(connection.getresponse().getheaders())
        finally:
            connection.close()

    def raw(self, method: str, path: str, body: Any) -> bytes:
        """The bytes behind the head of a hijacked answer, until the engine closes."""
        data = json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: d", "Content-Type: application/json", "Connection: Upgrade"]
        lines += ["Upgrade: tcp", f"Content-Length: {len(data)}", "", ""]
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(20)
            link.connect(str(self.socket))
            link.sendall("\r\n".join(lines).encode() + data)
            answer = b"".join(iter(lambda: link.recv(65536), b""))
        return answer.partition(b"\r\n\r\n")[2]

    def inspect(self, name: str) -> Any:
        """A container's inspection."""
        return json.loads(self.ok(f"inspect {name}"))[0]

    def clean(self) -> None:
        """Remove what a test has made, whatever became of it."""
        _, containers = self.api("GET", "/containers/json?all=1")
        for row in containers:
            self.api("DELETE", f"/containers/{row['Id']}?force=1&v=1")
        _, networks = self.api("GET", "/networks")
        for row in networks:
            if row["Name"] not in {"bridge", "host", "none"}:
                self.api("DELETE", f"/networks/{row['Id']}")
        _, volumes = self.api("GET", "/volumes")
        for row in (volumes or {}).get("Volumes") or []:
            self.api("DELETE", f"/volumes/{row['Name']}?force=1")
        _, images = self.api("GET", "/images/json")
        for row in images:
            for tag in row["RepoTags"] or []:
                if tag != "busy:latest":
                    self.api("DELETE", f"/images/{tag}?force=1")


def until(test: Callable[[], Any], seconds: float = 8) -> Any:
    """Wait until the test gives something true, and give it."""
    ends = time.monotonic() + seconds
    while not (found := test()):
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.03)
    return found
