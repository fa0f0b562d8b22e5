"""Where volume plugins are found: by socket and by specification file, as Docker's plugin discovery has it.

    NAME.sock     a socket that the plugin listens on
    NAME.spec     one address: unix:///path, tcp://host:port, https://host:port
    NAME.json     {"Name": …, "Addr": …, "TLSConfig": {"CAFile": …, "CertFile": …, "KeyFile": …}}

Each may also lie in a directory of the plugin's name. A socket comes before a file.
"""

import json
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.engine.errors import System

SPECS = (".spec", ".json")
SCHEMES = frozenset({"unix", "tcp", "http", "https"})


@dataclass(frozen=True, slots=True)
class Tls:
    """How a plugin behind ``https`` is verified, and what we show it."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where one plugin listens."""

    url: str
    tls: Tls | None = None

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def socket(self) -> str:
        """Path of a unix socket."""
        return urlsplit(self.url).path


@dataclass(frozen=True, slots=True)
class Places:
    """The directories that are searched, in this order."""

    directories: tuple[Path, ...] = ()

    def find(self, name: str) -> Address | None:
        """The address of a plugin; None where nothing tells of it.

        Raises:
            System: its specification cannot be read.
        """
        if not name or "/" in name or name.startswith("."):
            return None
        for path in _candidates(self.directories, name, ".sock"):
            if _is_socket(path):
                return Address(f"unix://{path}")
        for directory in self.directories:
            for suffix in SPECS:
                for path in _candidates((directory,), name, suffix):
                    if path.is_file():
                        return _read(name, path)
        return None

    def names(self) -> list[str]:
        """Every plugin that the directories tell of."""
        found = set()
        for directory in self.directories:
            for entry in _entries(directory):
                if (entry.suffix in SPECS and entry.is_file()) or (entry.suffix == ".sock" and _is_socket(entry)):
                    found.add(entry.stem)
                elif _is_socket(entry / f"{entry.name}.sock") or any(
                    (entry / f"{entry.name}{suffix}").is_file() for suffix in SPECS
                ):
                    found.add(entry.name)
        return sorted(found)


def _candidates(directories: tuple[Path, ...], name: str, suffix: str) -> Iterator[Path]:
    for directory in directories:
        yield directory / f"{name}{suffix}"
        yield directory / name / f"{name}{suffix}"


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _read(name: str, path: Path) -> Address:
    try:
        text = path.read_text()
        if path.suffix == ".spec":
            return _checked(name, text.strip(), Tls(insecure=True))
        given = json.loads(text)
        if not isinstance(given, Mapping):
            raise System(f"plugin {name}: {path} holds no object")
        return _checked(name, str(given.get("Addr") or ""), _tls(given.get("TLSConfig")))
    except (OSError, ValueError) as error:
        raise System(f"plugin {name}: {path} cannot be read: {error}") from error


def _checked(name: str, url: str, tls: Tls | None) -> Address:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not (parts.path if parts.scheme == "unix" else parts.netloc):
        raise System(f"plugin {name}: Unknown protocol: {url[:200]!r}")
    return Address(url, tls if parts.scheme == "https" else None)


def _tls(given: Any) -> Tls:
    if not isinstance(given, Mapping):
        return Tls()
    ca_file = str(given.get("CAFile") or "")
    # Without a CA of its own nothing could be verified but by the host's: Docker then verifies nothing.
    return Tls(
        ca_file=ca_file,
        cert_file=str(given.get("CertFile") or ""),
        key_file=str(given.get("KeyFile") or ""),
        insecure=not ca_file or bool(given.get("InsecureSkipVerify")),
    )
