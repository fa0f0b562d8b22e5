"""What this host is: kernel, memory, disk, engine, policy. And how busy it is."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.link.docker import Engine, EngineDown, EngineError
from agent.link.policy import Policy
from agent.protocol.reports import HostReport, StatsReport

AGENT_VERSION: Final = "0.1.0"
# of Docker's /info, what the host's page shows and the forms ask
_INFO: Final = (
    "ID", "Name", "Driver", "CgroupDriver", "CgroupVersion", "DefaultRuntime", "Runtimes", "SecurityOptions",
    "Plugins", "NCPU", "MemTotal", "KernelVersion", "OperatingSystem", "OSType", "Architecture", "DockerRootDir",
    "Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images", "Warnings", "ServerVersion",
    "LoggingDriver", "MemoryLimit", "SwapLimit", "PidsLimit",
)  # fmt: skip


def boot_id() -> str:
    """Of the kernel: changes at every boot, and tells a copied disk from the machine it came from."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


async def host_report(engine: Engine, policy: Policy, state: Path) -> HostReport:
    """Everything the host's page shows. An engine that is down is said, not raised."""
    info: dict[str, Any] = {}
    version: dict[str, Any] = {}
    running = True
    try:
        info = await engine.call("GET", "/info", seconds=10)
        version = await engine.call("GET", "/version", seconds=10)
    except (EngineDown, EngineError):
        running = False
    root = Path(str(info.get("DockerRootDir") or state))
    try:
        disk = shutil.disk_usage(root if root.exists() else state)
        total, free = disk.total, disk.free
    except OSError:
        total = free = 0
    memory = memory_info()
    return {
        "hostname": socket.gethostname(),
        "os": _os_name(),
        "kernel": platform.release(),
        "arch": platform.machine(),
        "cpus": os.cpu_count() or 1,
        "memory_bytes": memory.get("MemTotal", 0),
        "disk_total_bytes": total,
        "disk_free_bytes": free,
        "agent_version": AGENT_VERSION,
        "engine_name": _engine_name(version),
        "engine_version": str(version.get("Version") or ""),
        "engine_api": str(version.get("ApiVersion") or ""),
        "engine_running": running,
        "engine_info": {name: info[name] for name in _INFO if name in info},
        "policy": policy.rules().describe(),
        "boot_id": boot_id(),
    }


class HostLoad:
    """How busy the host is, between two calls."""

    def __init__(self) -> None:
        self._before = _cpu_times()

    def sample(self) -> StatsReport:
        """Use of the whole host since the last sample."""
        busy, total = _cpu_times()
        past_busy, past_total = self._before
        self._before = (busy, total)
        share = (busy - past_busy) / (total - past_total) if total > past_total else 0.0
        memory = memory_info()
        return {
            "engine_id": "",
            "at": datetime.now(UTC).isoformat(),
            "cpu_percent": round(share * 100.0 * (os.cpu_count() or 1), 2),
            "memory_bytes": memory.get("MemTotal", 0) - memory.get("MemAvailable", 0),
            "memory_cache": memory.get("Cached", 0),
            "memory_limit": memory.get("MemTotal", 0),
            "net": _network(),
            "block": [0, 0],
            "pids": 0,
        }


def memory_info() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) > 2}


def _cpu_times() -> tuple[int, int]:
    fields = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _network() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name, _, counters = line.partition(":")
        fields = counters.split()
        if name.strip() != "lo" and not name.strip().startswith("veth"):
            found[name.strip()] = [int(fields[0]), int(fields[8])]
    return found


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _engine_name(version: dict[str, Any]) -> str:
    components = version.get("Components") or []
    names = [str(one.get("Name") or "") for one in components if isinstance(one, dict)]
    first = names[0] if names else ""
    if (version.get("Platform") or {}).get("Name") == "Longshore":
        return "longshore"
    return {"Engine": "dockerd", "Podman Engine": "podman"}.get(first, first)
