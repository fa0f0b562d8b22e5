"""What differs by installation, read once from the environment.

On disk, all of it under `LONGSHORE_DATA` (0700):

    secrets/django.key      first line signs, further lines are former keys that still verify
    longshore.sqlite3       the records, unless DATABASE_URL names another database
    run/redis.sock          the private Redis, unless REDIS_URL names another
"""

import ipaddress
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

PROJECT = Path(__file__).resolve().parent.parent.parent
SHORTEST_KEY = 50


@dataclass(frozen=True)
class Installation:
    """One control plane's own values."""

    url: str  # what browsers and agents call; no slash at the end
    data: Path
    port: int
    secret_keys: tuple[str, ...]
    database_url: str
    redis_url: str
    debug: bool

    @property
    def secure(self) -> bool:
        """Whether browsers come by https: redirect, HSTS and Secure cookies follow from it."""
        return urlsplit(self.url).scheme == "https"

    @property
    def host(self) -> str:
        """The host name of the address, without port."""
        return urlsplit(self.url).hostname or ""


def read(environ: Mapping[str, str]) -> Installation:
    """Read the settings of this installation; make the secret key at the first start.

    Raises:
        ImproperlyConfigured: a value that would be unsafe or cannot work, with its cure.
    """
    port = int(environ.get("LONGSHORE_PORT", "8470"))
    url = environ.get("LONGSHORE_URL", f"http://127.0.0.1:{port}").rstrip("/")
    data = Path(environ.get("LONGSHORE_DATA", str(PROJECT / "data"))).absolute()
    _check_url(url)
    debug = environ.get("LONGSHORE_DEBUG", "") == "1"
    if debug and not is_loopback(urlsplit(url).hostname or ""):
        raise ImproperlyConfigured("LONGSHORE_DEBUG is for a loopback address only: unset it")
    key_file = Path(environ.get("LONGSHORE_SECRET_KEY", str(data / "secrets" / "django.key")))
    return Installation(
        url=url,
        data=data,
        port=port,
        secret_keys=secret_keys(key_file),
        database_url=environ.get("DATABASE_URL", ""),
        redis_url=environ.get("REDIS_URL", f"unix://{data}/run/redis.sock"),
        debug=debug,
    )


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ImproperlyConfigured(f"LONGSHORE_URL must be https://host[:port], not {url!r}")
    if parts.username or parts.password:
        raise ImproperlyConfigured("LONGSHORE_URL must not carry a user or a password")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ImproperlyConfigured(f"LONGSHORE_URL {url!r}: http is for loopback only; use an https address")


def secret_keys(path: Path) -> tuple[str, ...]:
    """The signing key and its predecessors from `path`, made if there is none.

    Raises:
        ImproperlyConfigured: others can read the file, or a key in it is short or a published one.
    """
    if not path.exists():
        _make_key(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ImproperlyConfigured(f"{path} can be read by others: chmod 600 {path}")
    keys = tuple(line for line in path.read_text().splitlines() if line)
    for key in keys or ("",):
        if len(key) < SHORTEST_KEY or key.startswith("django-insecure-"):
            raise ImproperlyConfigured(f"{path} holds no safe key: remove the file, a new one is made at start")
    return keys


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(64) + "\n")
    try:
        # link, unlike rename, lets the first of two starting processes win.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
