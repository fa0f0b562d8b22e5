"""Docker's stats as numbers that a person reads; both ends of the link show them the same way."""

from __future__ import annotations

from typing import Any

from agent.protocol.reports import StatsReport


def stats(engine_id: str, now: dict[str, Any], before: dict[str, Any] | None) -> StatsReport:
    """From two samples of Docker's stats; the CPU needs both, in percent of one core."""
    memory = now.get("memory_stats") or {}
    detail = memory.get("stats") or {}
    cache = int(detail.get("total_inactive_file") or detail.get("inactive_file") or 0)
    usage = int(memory.get("usage") or 0)
    block = (now.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return {
        "engine_id": engine_id,
        "at": str(now.get("read") or ""),
        "cpu_percent": cpu_percent(now, before or {"cpu_stats": now.get("precpu_stats") or {}}),
        "memory_bytes": max(usage - cache, 0),
        "memory_cache": cache,
        "memory_limit": int(memory.get("limit") or 0),
        "net": {
            name: [int(one.get("rx_bytes") or 0), int(one.get("tx_bytes") or 0)]
            for name, one in (now.get("networks") or {}).items()
        },
        "block": [
            sum(int(one["value"]) for one in block if str(one.get("op")).lower() == op) for op in ("read", "write")
        ],
        "pids": int((now.get("pids_stats") or {}).get("current") or 0),
    }


def cpu_percent(now: dict[str, Any], before: dict[str, Any]) -> float:
    """CPU used between two samples, as percent of one core."""
    new, old = now.get("cpu_stats") or {}, before.get("cpu_stats") or {}
    used = int((new.get("cpu_usage") or {}).get("total_usage") or 0) - int(
        (old.get("cpu_usage") or {}).get("total_usage") or 0
    )
    passed = int(new.get("system_cpu_usage") or 0) - int(old.get("system_cpu_usage") or 0)
    cores = int(new.get("online_cpus") or 1)
    if used <= 0 or passed <= 0 or not old.get("system_cpu_usage"):
        return 0.0
    return round(used / passed * cores * 100.0, 2)
