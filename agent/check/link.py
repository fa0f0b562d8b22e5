"""What the link needs: an engine that answers, a policy that can be read, a control plane in reach, a right clock."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent.check.finding import Check
from agent.link.docker import Engine, EngineDown, EngineError
from agent.link.policy import read as read_policy
from agent.link.settings import LinkSettings, SettingsError, read_identity

_SECONDS: Final = 5.0
_MOST_APART: Final = 30.0
_FIREWALL_CURE: Final = (
    "for each LINK, ufw: `ufw route allow in on LINK` and `ufw route allow out on LINK`; firewalld: `firewall-cmd "
    "--permanent --zone=trusted --add-interface=LINK`; dockerd: `iptables -I DOCKER-USER -i LINK -j ACCEPT`, also `-o`"
)


def link(settings: LinkSettings) -> Iterator[Check]:
    """Every check of this module."""
    yield _policy(settings)
    yield from asyncio.run(_engine(settings))
    yield _enrolled(settings)
    yield from _reached(settings)
    connected, detail = status(settings)
    yield Check("link", connected, detail, "start it: python -m agent run")


def _policy(settings: LinkSettings) -> Check:
    if not settings.policy.exists():
        return Check("policy", True, "none: nothing is forbidden here")
    broken = read_policy(settings.policy).broken
    return Check("policy", not broken, broken or str(settings.policy), "mend the file: until then all is refused")


async def _engine(settings: LinkSettings) -> list[Check]:
    try:
        version = await Engine(settings.engine).call("GET", "/version", seconds=_SECONDS)
        info = await Engine(settings.engine).call("GET", "/info", seconds=_SECONDS)
    except (EngineDown, EngineError) as error:
        return [Check("engine", False, str(error), "start it: python -m agent run")]
    told = [said(str(warning).removeprefix("WARNING: ")) for warning in info.get("Warnings") or ()]
    return [Check("engine", True, f"{version.get('Version', '?')}, API {version.get('ApiVersion', '?')}"), *told]


def said(warning: str) -> Check:
    """A warning of the engine's, with a cure where we know one."""
    cure = _FIREWALL_CURE if warning.startswith("a firewall") else ""
    return Check("engine says", False, warning, cure, needed=False)


def _enrolled(settings: LinkSettings) -> Check:
    try:
        identity = read_identity(settings)
    except SettingsError as error:
        return Check("enrolled", False, str(error), "make a join string in the dashboard: Hosts, Add host")
    return Check("enrolled", True, f"{identity.host_id} at {identity.url}")


def _reached(settings: LinkSettings) -> Iterator[Check]:
    try:
        parts = urlsplit(read_identity(settings).url)
    except SettingsError:
        return
    cure = "let this host connect to that address and port; nothing needs to come in"
    try:
        ahead = asyncio.run(_ask(parts.hostname or "", parts.port, parts.scheme))
    except (OSError, TimeoutError) as error:
        yield Check("control plane", False, str(error) or type(error).__name__, cure)
        return
    yield Check("control plane", True, f"{parts.hostname} answers")
    if ahead is not None:
        way = "ahead of" if ahead > 0 else "behind"
        agree = abs(ahead) <= _MOST_APART
        detail = "agrees with the control plane's" if agree else f"{abs(ahead):.0f} s {way} the control plane's"
        yield Check("time", agree, detail, "set the clock; apt install systemd-timesyncd keeps it right", needed=False)


async def _ask(host: str, port: int | None, scheme: str) -> float | None:
    """Seconds that our clock is ahead of the server's; None where it does not say the time."""
    context = None
    if scheme == "https":
        # whether the certificate is the right one, the handshake decides
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(_SECONDS):
        reader, writer = await asyncio.open_connection(host, port or (443 if context else 80), ssl=context)
        try:
            writer.write(f"HEAD /api/health/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head = await reader.read(65536)
        finally:
            writer.close()
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "date":
            try:
                return time.time() - parsedate_to_datetime(value.strip()).timestamp()
            except ValueError:
                return None
    return None


def status(settings: LinkSettings) -> tuple[bool, str]:
    """Whether the link of this host is connected now, and in what words it says so."""
    try:
        said = json.loads(settings.status_file.read_text())
        alive = Path(f"/proc/{int(said['pid'])}").exists()
    except (OSError, ValueError, KeyError, TypeError):
        return False, "the link has never run"
    if not alive:
        return False, "the link does not run"
    return bool(said.get("connected")), str(said.get("detail") or "")
