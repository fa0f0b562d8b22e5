"""What a container uses: CPU, memory, block IO, processes, network. From cgroup v1 or v2 and /proc, in Docker's shape.

Docker Engine API: ContainerStats. Clients compute percentages from ``precpu_stats``, so a single answer has to wait for
a second sample, and ``system_cpu_usage`` is all of the host's CPU time, idle included.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.engine.kernel.cgroups import Hierarchy
from agent.engine.state.records import ContainerRecord
from agent.engine.state.times import NEVER, rfc3339nano

Json = dict[str, Any]

PERIOD = 1.0
_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGES_UNLIMITED = 1 << 60
_BLOCK_LISTS = (
    "io_service_bytes_recursive", "io_serviced_recursive", "io_queue_recursive", "io_service_time_recursive",
    "io_wait_time_recursive", "io_merged_recursive", "io_time_recursive", "sectors_recursive",
)  # fmt: skip
_NETWORK = (
    "rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "tx_bytes", "tx_packets", "tx_errors", "tx_dropped",
)  # fmt: skip


def pairs(text: str) -> dict[str, int]:
    """``key number`` lines, as most cgroup files have them."""
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if value.strip().isdigit():
            found[key] = int(value)
    return found


def system_cpu(stat: str) -> int:
    """All CPU time of the host in ns, from /proc/stat."""
    return sum(int(field) for field in stat.split("\n", 1)[0].split()[1:8]) * _TICK


def network(text: str) -> Json:
    """Counters of each interface but the loopback one, from /proc/PID/net/dev."""
    found: Json = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        fields = rest.split()
        if name.strip() != "lo" and len(fields) >= 12:
            numbers = [int(fields[at]) for at in (0, 1, 2, 3, 8, 9, 10, 11)]
            found[name.strip()] = dict(zip(_NETWORK, numbers, strict=True))
    return found


def groups(text: str) -> dict[str, str]:
    """Controller → group, from /proc/PID/cgroup; ``""`` for v2."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


@dataclass(frozen=True, slots=True)
class Host:
    """What every sample needs to know of the machine."""

    hierarchy: Hierarchy
    memory: int
    cpus: int

    @classmethod
    def read(cls, hierarchy: Hierarchy) -> "Host":
        """Of this machine."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(hierarchy, memory, os.cpu_count() or 1)


class _Files:
    """Files of one container's groups; what is missing reads as empty."""

    def __init__(self, host: Host, pid: int) -> None:
        self._host = host
        self._groups = groups(Path(f"/proc/{pid}/cgroup").read_text())

    def text(self, controller: str, name: str) -> str:
        v2 = self._host.hierarchy.version == 2
        directory = self._host.hierarchy.directory(self._groups.get("" if v2 else controller, "/"), controller)
        try:
            return (directory / name).read_text() if directory else ""
        except OSError:
            return ""

    def number(self, controller: str, name: str) -> int:
        value = self.text(controller, name).strip()
        return int(value) if value.isdigit() else 0


def _cpu_v1(files: _Files, host: Host) -> Json:
    ticks = pairs(files.text("cpuacct", "cpuacct.stat"))
    throttled = pairs(files.text("cpu", "cpu.stat"))
    return {
        "cpu_usage": {
            "total_usage": files.number("cpuacct", "cpuacct.usage"),
            "percpu_usage": [int(n) for n in files.text("cpuacct", "cpuacct.usage_percpu").split()][: host.cpus],
            "usage_in_kernelmode": ticks.get("system", 0) * _TICK,
            "usage_in_usermode": ticks.get("user", 0) * _TICK,
        },
        "throttling_data": {
            "periods": throttled.get("nr_periods", 0),
            "throttled_periods": throttled.get("nr_throttled", 0),
            "throttled_time": throttled.get("throttled_time", 0),
        },
    }


def _cpu_v2(files: _Files) -> Json:
    used = pairs(files.text("cpu", "cpu.stat"))
    return {
        "cpu_usage": {
            "total_usage": used.get("usage_usec", 0) * 1000,
            "usage_in_kernelmode": used.get("system_usec", 0) * 1000,
            "usage_in_usermode": used.get("user_usec", 0) * 1000,
        },
        "throttling_data": {
            "periods": used.get("nr_periods", 0),
            "throttled_periods": used.get("nr_throttled", 0),
            "throttled_time": used.get("throttled_usec", 0) * 1000,
        },
    }


def _memory_v1(files: _Files, host: Host) -> Json:
    limit = files.number("memory", "memory.limit_in_bytes")
    found: Json = {
        "usage": files.number("memory", "memory.usage_in_bytes"),
        "max_usage": files.number("memory", "memory.max_usage_in_bytes"),
        "stats": pairs(files.text("memory", "memory.stat")),
        "limit": min(limit or host.memory, host.memory),
    }
    if failed := files.number("memory", "memory.failcnt"):
        found["failcnt"] = failed
    return found


def _memory_v2(files: _Files, host: Host) -> Json:
    return {
        "usage": files.number("memory", "memory.current"),
        "stats": pairs(files.text("memory", "memory.stat")),
        "limit": min(files.number("memory", "memory.max") or host.memory, host.memory),
    }


def _blkio_v1(files: _Files) -> Json:
    def rows(name: str) -> list[Json]:
        found = []
        for line in files.text("blkio", name).splitlines():
            fields = line.replace(":", " ").split()
            if len(fields) == 4:
                major, minor, op, value = fields
                found.append({"major": int(major), "minor": int(minor), "op": op, "value": int(value)})
        return found

    lists: Json = {name: [] for name in _BLOCK_LISTS}
    lists["io_service_bytes_recursive"] = rows("blkio.throttle.io_service_bytes_recursive")
    lists["io_serviced_recursive"] = rows("blkio.throttle.io_serviced_recursive")
    return lists


def _blkio_v2(files: _Files) -> Json:
    sizes, counts = [], []
    for line in files.text("io", "io.stat").splitlines():
        device, _, rest = line.partition(" ")
        major, _, minor = device.partition(":")
        values = dict(field.split("=", 1) for field in rest.split() if "=" in field)
        for op, size, count in (("read", "rbytes", "rios"), ("write", "wbytes", "wios")):
            where: Json = {"major": int(major), "minor": int(minor), "op": op}
            sizes.append(where | {"value": int(values.get(size, 0))})
            counts.append(where | {"value": int(values.get(count, 0))})
    lists: Json = dict.fromkeys(_BLOCK_LISTS)
    return lists | {"io_service_bytes_recursive": sizes, "io_serviced_recursive": counts}


def sample(host: Host, record: ContainerRecord) -> Json:
    """One reading. Blocks for some twenty small files.

    Raises:
        OSError: the container has ended.
    """
    pid = record.state.pid
    files = _Files(host, pid)
    v2 = host.hierarchy.version == 2
    cpu = _cpu_v2(files) if v2 else _cpu_v1(files, host)
    cpu |= {"system_cpu_usage": system_cpu(Path("/proc/stat").read_text()), "online_cpus": host.cpus}
    pids: Json = {"current": files.number("pids", "pids.current")}
    if limit := files.number("pids", "pids.max"):
        pids["limit"] = limit
    found: Json = {
        "read": rfc3339nano(time.time_ns()),
        "pids_stats": pids,
        "blkio_stats": _blkio_v2(files) if v2 else _blkio_v1(files),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": cpu,
        "memory_stats": _memory_v2(files, host) if v2 else _memory_v1(files, host),
    }
    if record.network_mode != "host":
        found["networks"] = network(Path(f"/proc/{pid}/net/dev").read_text())
    return found


def nothing() -> Json:
    """The reading of a container that does not run."""
    cpu: Json = {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }
    return {
        "read": NEVER, "pids_stats": {}, "blkio_stats": dict.fromkeys(_BLOCK_LISTS), "num_procs": 0,
        "storage_stats": {}, "cpu_stats": cpu, "memory_stats": {},
    }  # fmt: skip


def answer(record: ContainerRecord, now: Json, before: Json | None) -> Json:
    """A reading and the one before it, as Docker answers."""
    then = before or nothing()
    return now | {
        "preread": then["read"],
        "precpu_stats": then["cpu_stats"],
        "name": f"/{record.name}",
        "id": record.id,
    }


class Stats:
    """Samples of all containers.

    Args:
        host: the machine.
        find: a container's newest record.
    """

    def __init__(self, host: Host, find: Callable[[str], ContainerRecord | None]) -> None:
        self._host, self._find = host, find

    async def _sample(self, record: ContainerRecord) -> Json:
        if not record.state.alive or not record.state.pid:
            return nothing()
        try:
            return await asyncio.to_thread(sample, self._host, record)
        except OSError:
            return nothing()

    async def once(self, record: ContainerRecord, *, one_shot: bool = False) -> Json:
        """A single answer; waits a second for the comparison unless ``one_shot``."""
        first = await self._sample(record)
        if one_shot or first["read"] == NEVER:
            return answer(record, first, None)
        await asyncio.sleep(PERIOD)
        return answer(record, await self._sample(record), first)

    async def stream(self, container_id: str) -> AsyncGenerator[Json, None]:
        """An answer each second, until the container is removed."""
        before: Json | None = None
        while (record := self._find(container_id)) is not None:
            now = await self._sample(record)
            yield answer(record, now, before)
            before = now
            await asyncio.sleep(PERIOD)
