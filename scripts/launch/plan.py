"""What one installation is: its data directory, address and hosts, remembered between runs of ``scripts/up``.

DATA/
  launch.json        this plan (0600)
  secrets/           the control plane's keys (0600)
  tls/               ca.pem ca.key server.pem server.key, for an https URL without a certificate of its own
  run/               sockets, pid files and supervisor's configuration
  log/               one file a process
  longshore.sqlite3  the control plane's own (controlplane.settings)
  hosts/<name>/      one agent's state: agent.toml, keys, engine/, docker.sock
"""

import dataclasses
import json
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
#: The same as the settings have it, so that manage.py run by hand finds this installation.
DEFAULT_DATA = ROOT / "data"
DEFAULT_PORT = 8470


@dataclasses.dataclass(frozen=True)
class Plan:
    """One installation.

    Attributes:
        data: the data directory, absolute.
        url: LONGSHORE_URL, the address by which browsers and agents reach the control plane.
        bind: the address that the web process listens on.
        port: the TCP port that it listens on.
        hosts: how many demo hosts to show; None means that this machine itself is the one host.
    """

    data: Path
    url: str
    bind: str
    port: int
    hosts: int | None

    @property
    def run(self) -> Path:
        """Sockets, pid files, supervisor's configuration."""
        return self.data / "run"

    @property
    def log(self) -> Path:
        """One log file a process."""
        return self.data / "log"

    @property
    def https(self) -> bool:
        """Whether the control plane itself speaks TLS."""
        return urlsplit(self.url).scheme == "https"

    def redis_password(self) -> str:
        """The password of the private Redis, made at first use (0600).

        The socket alone would not do: an agent's tunnel ends at this Redis, and a client may RESET itself into the
        default user, who must therefore have a password.
        """
        path = self.data / "secrets" / "redis"
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32))
        return path.read_text()

    def host_dirs(self) -> list[Path]:
        """The state directories of the agents that this installation runs."""
        parent = self.data / "hosts"
        return sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []

    def environment(self) -> dict[str, str]:
        """What every process of the control plane finds in its environment, besides the caller's own."""
        env = {
            "LONGSHORE_URL": self.url,
            "LONGSHORE_DATA": str(self.data),
            "LONGSHORE_PORT": str(self.port),
            "LONGSHORE_BIND": self.bind,
            "REDIS_URL": os.environ.get("REDIS_URL") or f"unix://:{self.redis_password()}@{self.run}/redis.sock",
            "PYTHONUNBUFFERED": "1",
            "PATH": f"{ROOT}/.venv/bin:{os.environ.get('PATH', os.defpath)}",
        }
        if "DATABASE_URL" in os.environ:
            env["DATABASE_URL"] = os.environ["DATABASE_URL"]
        if self.https:
            env["LONGSHORE_TLS_CERT"] = os.environ.get("LONGSHORE_TLS_CERT", str(self.data / "tls/server.pem"))
            env["LONGSHORE_TLS_KEY"] = os.environ.get("LONGSHORE_TLS_KEY", str(self.data / "tls/server.key"))
        return env

    def save(self) -> None:
        """Remember the plan for the next ``scripts/up`` and for ``scripts/down``."""
        text = json.dumps(dataclasses.asdict(self) | {"data": str(self.data)}, indent=1)
        path = self.data / "launch.json"
        path.touch(mode=0o600)
        path.write_text(text + "\n")


def load(data: Path) -> Plan | None:
    """Read the plan of an installation; None where ``scripts/up`` has never run in that data directory."""
    try:
        stored = json.loads((data / "launch.json").read_text())
    except FileNotFoundError:
        return None
    return Plan(**(stored | {"data": Path(stored["data"])}))
