"""The syslog driver's addresses, facilities and formats. Pure, but for a look whether a socket is there.

Source: moby ``daemon/logger/syslog``; formats: RFC 3164, RFC 5424, framing over TLS: RFC 5425.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from agent.engine.errors import Invalid

OPTIONS = frozenset(
    {
        "syslog-address", "syslog-facility", "syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key",
        "syslog-tls-skip-verify", "syslog-format",
    }
)  # fmt: skip
FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "", "", "", "", *(f"local{number}" for number in range(8)),
)  # fmt: skip
FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")
LOCAL_SOCKETS = ("/dev/log", "/var/run/syslog", "/var/run/log")
TLS = "tcp+tls"

_DAEMON, _ERROR, _INFO = 3, 3, 6
_PORT = 514


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages go. ``path`` for sockets of this host, else ``host`` and ``port``."""

    scheme: str
    """``unix``, ``unixgram``, ``udp``, ``tcp``, ``tcp+tls``; empty: the host's own syslog."""
    path: str = ""
    host: str = ""
    port: int = 0


def address(text: str) -> Address:
    """``syslog-address`` read.

    Raises:
        Invalid: in dockerd's words.
    """
    if not text:
        return Address("")
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in {"unix", "unixgram", "udp", "tcp", TLS}:
        raise Invalid(f"syslog-address should be in form proto://address, got {text}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        reason = "missing ']' in host" if "[" in text and "]" not in text else str(error)
        raise Invalid(f'parse "{text}": {reason}') from error
    if scheme.startswith("unix"):
        if not Path(parts.path).exists():
            raise Invalid(f"stat {parts.path}: no such file or directory")
        return Address(scheme, path=parts.path)
    return Address(scheme, host=parts.hostname or "", port=_PORT if port is None else port)


def facility(text: str) -> int:
    """A facility's number, by its name or number.

    Raises:
        Invalid: there is none of that name.
    """
    if not text:
        return _DAEMON
    if text in FACILITIES:
        return FACILITIES.index(text)
    if text.isdigit() and int(text) <= 23:
        return int(text)
    raise Invalid("invalid syslog facility")


def check(options: Mapping[str, str]) -> None:
    """Judge the options, as dockerd does at create.

    Raises:
        Invalid: in dockerd's words.
    """
    address(options.get("syslog-address", ""))
    facility(options.get("syslog-facility", ""))
    if options.get("syslog-format", "") not in FORMATS:
        raise Invalid("Invalid syslog format")


def formatter(options: Mapping[str, str], tag: str) -> Callable[[int, float, bytes], bytes]:
    """What makes a message of a stream's number, a time and a text."""
    kind, base = options.get("syslog-format", ""), facility(options.get("syslog-facility", "")) << 3
    hostname, pid = os.uname().nodename, os.getpid()
    counted = options.get("syslog-address", "").startswith(TLS) and kind.startswith("rfc5424")

    def head(priority: int, seconds: float) -> str:
        if kind in {"", "rfc3164"}:
            local = time.localtime(seconds)
            stamp = f"{time.strftime('%b', local)} {local.tm_mday:2d} {time.strftime('%H:%M:%S', local)}"
            return f"<{priority}>{stamp} {hostname + ' ' if kind else ''}{tag}[{pid}]: "
        moment = datetime.fromtimestamp(seconds).astimezone()
        stamp = moment.isoformat(timespec="microseconds" if kind.endswith("micro") else "seconds")
        return f"<{priority}>1 {stamp.replace('+00:00', 'Z')} {hostname} {tag} {pid} {tag} - "

    def message(stream: int, seconds: float, text: bytes) -> bytes:
        whole = head(base | (_ERROR if stream == 2 else _INFO), seconds).encode() + text
        if not whole.endswith(b"\n"):
            whole += b"\n"
        return b"%d %s" % (len(whole), whole) if counted else whole

    return message
