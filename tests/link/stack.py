"""A control plane and agents as real processes, on loopback and unix sockets, in a directory that goes away."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def wait_for(
    what: Callable[[], Any], seconds: float = 30.0, words: str | Callable[[], str] = "it did not happen"
) -> Any:
    """Ask until the answer is true; words may be asked for when it never was."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(words if isinstance(words, str) else words())
        time.sleep(0.05)


def free_port() -> int:
    """A port that is free, below those that the kernel gives to clients: it is still free a while later."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """One program that can be killed and started again."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path) -> None:
        self.argv, self.env, self.log = argv, env, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, env=self.env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def stop(self, number: int = signal.SIGTERM, seconds: float = 15.0) -> float:
        """Send a signal and wait for the end; how long it took."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        return time.monotonic() - began

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Stack:
    """One installation."""

    def __init__(self, root: Path, tls: tuple[Path, Path] | None = None, **env: str) -> None:
        self.root = root
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.password = secrets.token_hex(16)
        self.redis_socket = root / "redis.sock"
        own = (
            "DJANGO_SETTINGS_MODULE",
            "LONGSHORE_DATA",
            "LONGSHORE_URL",
            "LONGSHORE_PORT",
            "REDIS_URL",
            "DATABASE_URL",
        )
        self.plain = {name: value for name, value in os.environ.items() if name not in own}
        self.env = self.plain | {
            "LONGSHORE_DATA": str(root / "data"),
            "LONGSHORE_URL": self.url,
            "LONGSHORE_PORT": str(self.port),
            "REDIS_URL": f"unix://:{self.password}@{self.redis_socket}",
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "PYTHONPATH": str(ROOT),
            **({"LONGSHORE_TLS_CERT": str(tls[0]), "LONGSHORE_TLS_KEY": str(tls[1])} if tls else {}),
            **env,
        }
        python = sys.executable
        self.redis = self._process("redis", [
            "redis-server", "--port", "0", "--unixsocket", str(self.redis_socket), "--unixsocketperm", "700",
            "--requirepass", self.password, "--save", "", "--appendonly", "no", "--dir", str(root),
        ])  # fmt: skip
        self.web = self._process("web", [
            python, "-m", "uvicorn", "controlplane.asgi:application", "--host", "127.0.0.1", "--port", str(self.port),
            "--ws", "controlplane.gateway.wsprotocol:CountingProtocol", "--ws-max-size", "1048576",
            "--ws-per-message-deflate", "false", "--timeout-graceful-shutdown", "3",
            *(["--ssl-certfile", str(tls[0]), "--ssl-keyfile", str(tls[1])] if tls else []),
        ])  # fmt: skip
        self.worker = self._process("worker", [
            python, "-m", "celery", "-A", "controlplane", "worker", "--pool=solo", "--loglevel", "INFO",
            "--without-gossip", "--without-mingle",
        ])  # fmt: skip
        self.beat = self._process("beat", [
            python, "-m", "celery", "-A", "controlplane", "beat", "--loglevel", "INFO",
            "--schedule", str(root / "beat"), "--pidfile", "",
        ])  # fmt: skip
        self.agents: dict[str, Process] = {}
        self._console: subprocess.Popen[str] | None = None

    def _process(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> Process:
        return Process(argv, env or self.env, self.root / f"{name}.log")

    def start(self) -> None:
        """Redis, tables, web."""
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=self.env, check=True,
            capture_output=True, timeout=120,
        )  # fmt: skip
        self.redis.start()
        wait_for(self._redis_answers, 30)
        self.web.start()
        self.wait_web()

    def _redis_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.redis_socket)) == 0

    def wait_web(self) -> None:
        """Until it takes connections."""

        def open_() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            assert self.web.process is not None
            assert self.web.process.poll() is None, self.web.text
            return False

        wait_for(open_, 90, "web does not listen")

    def do(self, name: str, /, *args: Any, **options: Any) -> Any:
        """Ask the console; see there what there is."""
        if self._console is None:
            self._console = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("console.py"))], cwd=ROOT, env=self.env, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(self.root / "console.log").open("ab"),
            )  # fmt: skip
        assert self._console.stdin is not None
        assert self._console.stdout is not None
        self._console.stdin.write(json.dumps([name, args, options]) + "\n")
        self._console.stdin.flush()
        for line in self._console.stdout:
            if line.startswith("\x1e"):
                answer = json.loads(line[1:])
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                return answer["ok"]
        raise RuntimeError((self.root / "console.log").read_text())

    def state(self, host: str) -> Path:
        return self.root / host

    def enrol(self, host: str, join: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Spend a join string."""
        return subprocess.run(
            [sys.executable, "-m", "agent", "enrol", "-", "--state", str(self.state(host)), "--name", host],
            input=(join or self.do("join", host)) + "\n", text=True, capture_output=True, cwd=ROOT, env=self.plain,
            check=False, timeout=60,
        )  # fmt: skip

    def link(self, host: str, engine: str) -> Process:
        """Start a host's link on an engine."""
        if host not in self.agents:
            self.agents[host] = self._process(
                f"link-{host}",
                [sys.executable, "-m", "agent", "link", "--state", str(self.state(host)), "--engine", engine],
                self.plain,
            )
        self.agents[host].start()
        return self.agents[host]

    def agent(self, host: str, netns: str) -> Process:
        """Start a host's whole agent, with an engine of its own in a network namespace."""
        argv = [sys.executable, "-m", "agent", "run", "--state", str(self.state(host)), "--netns", netns]
        self.agents[host] = self._process(f"agent-{host}", argv, self.plain)
        self.agents[host].start()
        return self.agents[host]

    def child(self, host: str, name: str) -> int:
        """The pid of an agent's engine or link, 0 while it is down."""
        children = Path(f"/proc/{self.agents[host].pid}/task/{self.agents[host].pid}/children").read_text().split()
        for pid in children:
            with contextlib.suppress(OSError):
                if f"agent\0{name}\0".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return int(pid)
        return 0

    def online(self, host: str, seconds: float = 60.0) -> None:
        """Wait until the control plane has the host online."""
        wait_for(
            lambda: self.do("host", host)["state"] == "online",
            seconds,
            lambda: f"{host} does not come online: {self.agents[host].text[-2000:] if host in self.agents else ''}",
        )

    def ended(self, *ids: str, seconds: float = 60.0) -> list[dict[str, Any]]:
        """Wait until orders have ended."""
        final = {"done", "failed", "expired", "cancelled"}

        def all_ended() -> Any:
            found = self.do("orders", list(ids))
            return found if all(one["state"] in final for one in found) else None

        return wait_for(all_ended, seconds, f"orders did not end: {self.do('orders', list(ids))}")

    def redis_cli(self, *words: str) -> str:
        """A command as Redis' default user."""
        done = subprocess.run(
            ["redis-cli", "-s", str(self.redis_socket), "--no-auth-warning", "-a", self.password, *words],
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
        return done.stdout

    def stop(self) -> None:
        """End everything that was started here."""
        for process in [*self.agents.values(), self.beat, self.worker, self.web, self.redis]:
            process.stop(seconds=5)
        if self._console is not None:
            assert self._console.stdin is not None
            self._console.stdin.close()
            self._console.wait(5)
