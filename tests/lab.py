"""A fleet on one machine: a control plane and hosts, each in a network namespace, on a LAN with no way out.

    lan (a bridge in a namespace of its own, 10.77.0.0/24)
     ├── cp      10.77.0.1   the control plane, https, run by scripts/launch under supervisor
     ├── <host>  10.77.0.1x  an agent with its own engine, or on a dockerd that runs elsewhere
     └── nat     10.77.0.200 a router that masquerades ── <host> 192.168.77.2: it can dial out and nobody can dial in

The browser and REST clients of a test enter ``cp`` themselves (``with lab.inside():``), so nothing listens on the
machine's own addresses.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from scripts.launch.manage import manage
from scripts.launch.plan import load
from scripts.launch.purge import purge_agent
from tests.netns import Namespace, join, run

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON = REPOSITORY / ".venv/bin/python"
PORT = 8443
CONTROL_PLANE = "10.77.0.1"
URL = f"https://{CONTROL_PLANE}:{PORT}"
PASSWORD = "correct horse battery"


class LabHost:
    """One host of the lab: namespace, state directory and agent."""

    def __init__(self, lab: "Lab", name: str, namespace: Namespace, engine: str | None) -> None:
        self.lab, self.name, self.namespace, self.engine = lab, name, namespace, engine
        self.state = lab.root / "hosts" / name
        self.state.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.log = lab.root / f"agent-{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.id = ""

    @property
    def socket(self) -> str:
        """The engine's socket, as a DOCKER_HOST."""
        return self.engine or f"unix://{self.state}/docker.sock"

    def docker(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run the docker CLI on this host's engine and raise where it fails."""
        env = os.environ | {"DOCKER_HOST": self.socket, "DOCKER_BUILDKIT": "0"}
        return subprocess.run(
            ["docker", *arguments], env=env, capture_output=True, text=True, check=True, timeout=120, **options
        )

    def answers(self) -> bool:
        """Whether the engine serves; a host can be online before that."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as tried:
            return tried.connect_ex(self.socket.removeprefix("unix://")) == 0

    def enrol(self, join_string: str) -> None:
        """Spend a join string, as scripts/join does."""
        done = subprocess.run(
            self.namespace.argv(str(PYTHON), "-m", "agent", "enrol", "-", "--state", str(self.state)),
            input=join_string + "\n", text=True, capture_output=True, cwd=REPOSITORY, check=False, timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"enrol {self.name}: {done.stderr}")

    def start(self) -> None:
        """Start the agent; it makes its own way to the control plane."""
        command = [str(PYTHON), "-m", "agent", "run", "--state", str(self.state)]
        if self.engine:
            command += ["--engine", self.engine]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.namespace.argv(*command), cwd=REPOSITORY, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def stop(self) -> None:
        """End the agent as systemd would; its containers run on."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        self.process = None


class Lab:
    """The whole fleet; ``close()`` leaves nothing behind, also after a failure half-way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tag = secrets.token_hex(2)
        self.hosts: dict[str, LabHost] = {}
        self.token = ""
        self._namespaces: list[Namespace] = []
        self._address = 10
        self.cp: Namespace
        self.lan: Namespace

    # -- building ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the LAN and the control plane, and a token of the administrator's."""
        self.lan = self._namespace("lan")
        self.lan.ip("link", "add", "lan0", "type", "bridge")
        self.lan.ip("link", "set", "lan0", "up")
        self.cp = self._attached("cp", f"{CONTROL_PLANE}/24")
        self.launch()
        self.token = self.manage("create_token", "admin", "--name", "lab").strip().splitlines()[-1]

    def launch(self) -> None:
        """Run scripts/up's own launcher inside the control plane's namespace."""
        done = subprocess.run(
            self.cp.argv(str(PYTHON), "-m", "scripts.launch", "up", "--detach", "--hosts", "0",
                         "--data", str(self.data), "--port", str(PORT)),
            cwd=REPOSITORY, env=self.environment(), capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"control plane: {done.stdout}\n{done.stderr}\n{self.logs()}")

    @property
    def data(self) -> Path:
        """The control plane's data directory."""
        return self.root / "cp"

    def environment(self) -> dict[str, str]:
        """The environment of the control plane's commands."""
        return os.environ | {
            "LONGSHORE_URL": URL,
            "LONGSHORE_BIND": CONTROL_PLANE,
            "LONGSHORE_DATA": str(self.data),
            "LONGSHORE_ADMIN_PASSWORD": PASSWORD,
        }

    def manage(self, *arguments: str) -> str:
        """Run a management command against the lab's control plane."""
        plan = load(self.data)
        assert plan
        return manage(plan, *arguments)

    def add_host(self, name: str, *, engine: str | None = None, nat: bool = False, enrol: bool = True) -> LabHost:
        """Make a host and, with ``enrol``, join it by REST and wait until it is online.

        Args:
            name: the host's name, unique in the lab.
            engine: URL of a dockerd to sit on; None for an engine of our own.
            nat: behind a router that only lets it dial out.
            enrol: join it at once; a test of the pasted line passes False.
        """
        namespace = self._behind_nat(name) if nat else self._attached(name, self._next_address())
        host = self.hosts[name] = LabHost(self, name, namespace, engine)
        if enrol:
            answer = self.api("POST", "enrolments/", {"name": name})
            host.enrol(answer["join_string"])
            host.start()
            self.wait_online(host)
        return host

    def wait_online(self, host: LabHost, timeout: float = 30) -> None:
        """Wait until the control plane says that the host is online; remembers the host's id."""

        def online() -> bool:
            rows = self.api("GET", f"hosts/?name={host.name}")["results"]
            host.id = rows[0]["id"] if rows else ""
            return bool(rows) and rows[0]["state"] == "online"

        self.until(online, f"{host.name} online", timeout)
        if host.engine is None:
            self.until(host.answers, f"{host.name}'s engine", timeout)

    def forget(self, host: LabHost) -> None:
        """Revoke a host and take what it left away; for hosts of one test."""
        self.api("POST", f"hosts/{host.id}/revoke/", {})
        host.stop()
        purge_agent(host.state)
        del self.hosts[host.name]

    # -- talking -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Put the calling thread where the control plane is."""
        with self.cp.entered():
            yield

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """One REST call with the administrator's token; answers whatever came."""
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        with self.inside():
            return requests.request(
                method, f"{URL}/api/{path}", json=body, headers=headers, timeout=options.pop("timeout", 90),
                verify=str(self.data / "tls/ca.pem"), **options,
            )  # fmt: skip

    def api(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """One REST call that must succeed; answers the JSON."""
        answer = self.request(method, path, body, **options)
        if answer.status_code >= 400:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def order(self, method: str, path: str, body: Any = None, wait: int = 60) -> Any:
        """A REST call that makes an order; waits for its end and fails where it did not end ``done``."""
        order = self.api(method, path, body, headers={"Prefer": f"wait={wait}"})
        if order["state"] != "done":
            raise AssertionError(f"{method} {path}: {json.dumps(order)}")
        return order

    def first(self, path: str, timeout: float = 30) -> Any:
        """The first row of a list, as soon as there is one."""
        self.until(lambda: self.api("GET", path)["results"], path, timeout)
        return self.api("GET", path)["results"][0]

    def until(self, condition: Any, what: str, timeout: float = 30) -> None:
        """Ask again and again until it holds; the time-out names what never came, with the logs' ends."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout:.0f} s: {what}\n{self.logs()}")
            time.sleep(0.1)

    def logs(self, lines: int = 25) -> str:
        """The ends of every log of the lab, for a failure's message."""
        paths = [*self.data.glob("log/*.log"), *self.root.glob("agent-*.log")]
        return "\n".join(
            f"--- {p.name}\n" + "\n".join(p.read_text(errors="replace").splitlines()[-lines:]) for p in paths
        )

    @property
    def python(self) -> str:
        """The project's own interpreter."""
        return str(PYTHON)

    @property
    def registry(self) -> str:
        """Longshore's own registry, as the first part of a reference."""
        return f"{CONTROL_PLANE}:{PORT}"

    # -- ending --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop and remove all of it."""
        for host in self.hosts.values():
            host.stop()
            if host.engine is None:
                purge_agent(host.state)
        if hasattr(self, "cp"):
            subprocess.run(
                self.cp.argv(str(PYTHON), "-m", "scripts.launch", "down", "--purge", "--data", str(self.data)),
                cwd=REPOSITORY, capture_output=True, check=False, timeout=60,
            )  # fmt: skip
        for namespace in reversed(self._namespaces):
            namespace.remove()
        shutil.rmtree(self.root, ignore_errors=True)

    # -- wires ---------------------------------------------------------------------------------------------------

    def _namespace(self, name: str) -> Namespace:
        namespace = Namespace(f"ls-{self.tag}-{name}")
        self._namespaces.append(namespace)
        return namespace

    def _next_address(self) -> str:
        self._address += 1
        return f"10.77.0.{self._address}/24"

    def _attached(self, name: str, address: str) -> Namespace:
        namespace = self._namespace(name)
        join(namespace, "eth0", self.lan, f"v{len(self._namespaces)}")
        self.lan.ip("link", "set", f"v{len(self._namespaces)}", "master", "lan0")
        namespace.ip("addr", "add", address, "dev", "eth0")
        return namespace

    def _behind_nat(self, name: str) -> Namespace:
        router = self._attached(f"{name}-nat", self._next_address())
        inner = self._namespace(name)
        join(inner, "eth0", router, "inside")
        router.ip("addr", "add", "192.168.77.1/24", "dev", "inside")
        inner.ip("addr", "add", "192.168.77.2/24", "dev", "eth0")
        inner.ip("route", "add", "default", "via", "192.168.77.1")
        run(*router.argv("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"))
        run(*router.argv("nft", "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100 ; }; "
                         "add rule ip nat out oifname eth0 masquerade"))  # fmt: skip
        return inner
