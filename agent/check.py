"""`python -m agent check`: what this host lacks to run containers and to be reached, each with its cure."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent.link.docker import Engine, EngineDown, EngineError
from agent.link.policy import read as read_policy
from agent.link.settings import LinkSettings, SettingsError, read_identity, settings_for

_PROGRAMS: Final = {"conmon": "conmon", "nft": "nftables", "catatonit": "catatonit"}
_LEAST_DISK: Final = 2 << 30
_SECONDS: Final = 5.0
_FIREWALL: Final = "WARNING: a firewall"
"""How the engine's warnings of other programs' firewalls begin."""
_FIREWALL_CURE: Final = (
    "ufw: `ufw route allow in on LINK` and `out on LINK`; firewalld: `firewall-cmd --zone=trusted "
    "--add-interface=LINK`; dockerd: `iptables -I DOCKER-USER -i LINK -j ACCEPT` and the same with `-o`"
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


def report(state: Path, engine: str | None, *, as_json: bool, wait_connected: float | None = None) -> int:
    """Print every check; 0 when all hold. With `wait_connected`, wait that long for the link instead."""
    try:
        settings = settings_for(state, engine)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    if wait_connected is not None:
        return _wait(settings, wait_connected)
    checks = list(run(settings, own_engine=engine is None))
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            print(f"{'ok  ' if check.ok else 'MISS'} {check.name}: {check.detail}")
            if not check.ok and check.cure:
                print(f"     {check.cure}")
    return 0 if all(check.ok for check in checks) else 1


def run(settings: LinkSettings, *, own_engine: bool) -> Iterator[Check]:
    """Every check, in the order in which one would mend them."""
    yield _root()
    if own_engine:
        yield _overlayfs()
        yield _cgroups()
        yield _runtime()
        for program, package in _PROGRAMS.items():
            yield _program(program, package)
        yield _state(settings.state)
    yield _disk(settings.state)
    yield _policy(settings)
    yield asyncio.run(_engine(settings))
    yield from asyncio.run(_firewalls(settings))
    yield _enrolled(settings)
    yield from _reached(settings)
    yield _linked(settings)


def _root() -> Check:
    return Check("root", os.geteuid() == 0, f"uid {os.geteuid()}", "run the agent as root: containers need it")


def _overlayfs() -> Check:
    there = "\toverlay\n" in Path("/proc/filesystems").read_text()
    return Check("overlayfs", there, "in the kernel" if there else "not in the kernel", "modprobe overlay")


def _cgroups() -> Check:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    v2 = any(entry[1] == "/sys/fs/cgroup" and entry[2] == "cgroup2" for entry in mounts)
    v1 = {option for entry in mounts if entry[2] == "cgroup" for option in entry[3].split(",")}
    missing = [name for name in ("memory", "cpu", "pids") if not v2 and name not in v1]
    detail = "v2" if v2 else f"v1, without {', '.join(missing)}" if missing else "v1"
    return Check("cgroups", not missing, detail, "mount the missing controllers, or boot with cgroup v2")


def _runtime() -> Check:
    found = [name for name in ("crun", "runc") if shutil.which(name)]
    return Check("runtime", bool(found), ", ".join(found) or "neither crun nor runc", "apt install crun")


def _program(name: str, package: str) -> Check:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/libexec/podman:/usr/lib/podman")
    return Check(name, path is not None, path or "not found", f"apt install {package}")


def _state(state: Path) -> Check:
    where = next(path for path in [state, *state.parents] if path.exists())
    kinds = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    kind = max((entry for entry in kinds if where.is_relative_to(entry[1])), key=lambda entry: len(entry[1]))[2]
    return Check(
        "state directory", kind != "overlay", f"{state} on {kind}", "choose a --state that is not on overlayfs"
    )


def _disk(state: Path) -> Check:
    free = shutil.disk_usage(next(path for path in [state, *state.parents] if path.exists())).free
    return Check("disk", free >= _LEAST_DISK, f"{free >> 20} MiB free", "free some, or choose another --state")


def _policy(settings: LinkSettings) -> Check:
    if not settings.policy.exists():
        return Check("policy", True, "none: nothing is forbidden here")
    broken = read_policy(settings.policy).broken
    return Check("policy", not broken, broken or str(settings.policy), "mend the file: until then all is refused")


async def _engine(settings: LinkSettings) -> Check:
    try:
        version = await Engine(settings.engine).call("GET", "/version", seconds=_SECONDS)
    except (EngineDown, EngineError) as error:
        return Check("engine", False, str(error), "start it: python -m agent run")
    return Check("engine", True, f"{version.get('Version', '?')}, API {version.get('ApiVersion', '?')}")


async def _firewalls(settings: LinkSettings) -> list[Check]:
    try:
        warnings = (await Engine(settings.engine).call("GET", "/info", seconds=_SECONDS)).get("Warnings") or []
    except (EngineDown, EngineError):
        return []
    found = [text.removeprefix("WARNING: ") for text in warnings if text.startswith(_FIREWALL)]
    return [Check("firewall", False, text, _FIREWALL_CURE) for text in found] or [
        Check("firewall", True, "none is known to cut containers off")
    ]


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
    yield _tried("control plane", lambda: asyncio.run(_connect(parts.hostname or "", parts.port, parts.scheme)), cure)


async def _connect(host: str, port: int | None, scheme: str) -> str:
    context = None
    if scheme == "https":
        # whether the certificate is the right one, the handshake decides
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(_SECONDS):
        _, writer = await asyncio.open_connection(host, port or (443 if context else 80), ssl=context)
    writer.close()
    return f"{host} answers"


def _tried(name: str, what: Callable[[], str], cure: str) -> Check:
    try:
        return Check(name, True, what())
    except (OSError, TimeoutError) as error:
        return Check(name, False, str(error) or type(error).__name__, cure)


def _linked(settings: LinkSettings) -> Check:
    connected, detail = status(settings)
    return Check("link", connected, detail, "start it: python -m agent run")


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


def _wait(settings: LinkSettings, seconds: float) -> int:
    end = time.monotonic() + seconds
    while True:
        connected, detail = status(settings)
        if connected:
            return 0
        if time.monotonic() > end:
            print(f"not connected: {detail}", file=sys.stderr)
            return 1
        time.sleep(0.2)
