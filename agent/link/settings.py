"""What the link knows of its host: paths, the address of the control plane, the keys that it trusts.

STATE/agent.toml         url, host id, trusted keys of the control plane; 0600, written by `enrol`
STATE/host.key           Ed25519, PEM; 0600
STATE/orders.sqlite3     the order book
STATE/bell.sock          where the link's own Celery finds its broker; 0600
STATE/docker.sock        the engine, unless --engine names another
STATE/engine/certs.d/    the control plane's private CA, for pulls from its registry
STATE/policy.toml        what this host forbids (/etc/longshore/policy.toml for the default state directory)
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

DEFAULT_STATE: Final = Path("/var/lib/longshore")
DEFAULT_POLICY: Final = Path("/etc/longshore/policy.toml")
LONGEST_SOCKET_PATH: Final = 107


class SettingsError(Exception):
    """The host is not enrolled, or a value cannot work; the text says what to do."""


@dataclass(frozen=True)
class Identity:
    """Who this host is, and whom it obeys. `keys` maps a key's SHA-256 to the raw public key, hexadecimal."""

    url: str
    host_id: str
    keys: dict[str, str]


@dataclass(frozen=True)
class LinkSettings:
    """One host's own values."""

    state: Path
    engine: Path
    policy: Path

    @property
    def identity_file(self) -> Path:
        return self.state / "agent.toml"

    @property
    def key_file(self) -> Path:
        return self.state / "host.key"

    @property
    def order_book(self) -> Path:
        return self.state / "orders.sqlite3"

    @property
    def contexts(self) -> Path:
        """Build contexts on their way to the engine."""
        return self.state / "contexts"

    def registry_ca(self, url: str) -> Path:
        """Where our own engine looks for the CA of the control plane's registry."""
        return self.state / "engine" / "certs.d" / urlsplit(url).netloc / "ca.crt"

    @property
    def status_file(self) -> Path:
        return self.state / "link.json"

    @property
    def bell_socket(self) -> Path:
        return self.state / "bell.sock"


def settings_for(state: Path, engine: str | None = None) -> LinkSettings:
    """The settings of a state directory.

    Args:
        engine: `unix:///path`, a plain path, or None for the engine of this agent.

    Raises:
        SettingsError: another scheme than unix, or a socket path too long for the kernel.
    """
    state = state.absolute()
    path = state / "docker.sock" if engine is None else _socket_path(engine)
    settings = LinkSettings(
        state=state, engine=path, policy=DEFAULT_POLICY if state == DEFAULT_STATE else state / "policy.toml"
    )
    for socket in (settings.engine, settings.bell_socket):
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            raise SettingsError(f"{socket}: a socket path may have {LONGEST_SOCKET_PATH} bytes; use a shorter --state")
    return settings


def _socket_path(engine: str) -> Path:
    if engine.startswith("unix://"):
        return Path(engine.removeprefix("unix://"))
    if "://" in engine:
        raise SettingsError(f"{engine}: the engine must be a unix socket (unix:///path)")
    return Path(engine).absolute()


def read_identity(settings: LinkSettings) -> Identity:
    """Who this host is.

    Raises:
        SettingsError: not enrolled, or the file is broken.
    """
    try:
        content = tomllib.loads(settings.identity_file.read_text())
        return Identity(
            url=str(content["url"]),
            host_id=str(content["host_id"]),
            keys={str(kid): str(key) for kid, key in dict(content["keys"]).items()},
        )
    except FileNotFoundError:
        raise SettingsError(f"{settings.state} is not enrolled: run `python -m agent enrol -`") from None
    except (KeyError, ValueError, TypeError) as error:
        raise SettingsError(f"{settings.identity_file} cannot be read: {error}") from None


def write_identity(settings: LinkSettings, identity: Identity) -> None:
    """Write agent.toml so that a power cut leaves the old file or the new one."""
    lines = [f'url = "{identity.url}"', f'host_id = "{identity.host_id}"', "", "[keys]"]
    lines += [f'"{kid}" = "{key}"' for kid, key in sorted(identity.keys.items())]
    write_private(settings.identity_file, ("\n".join(lines) + "\n").encode())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
