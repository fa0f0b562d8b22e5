"""Docker's answers turned into what the control plane is told; values to values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent.protocol.orders import ID_LABEL
from agent.protocol.reports import (
    ContainerReport,
    ImageReport,
    NetworkReport,
    PortReport,
    VolumeReport,
)


def container(found: dict[str, Any]) -> ContainerReport:
    """From a container's inspect."""
    state, config, host = found["State"], found["Config"], found.get("HostConfig") or {}
    health = state.get("Health") or {}
    labels = config.get("Labels") or {}
    network = found.get("NetworkSettings") or {}
    command = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    return {
        "engine_id": found["Id"],
        "longshore_id": str(labels.get(ID_LABEL, "")),
        "name": str(found["Name"]).lstrip("/"),
        "image": str(config.get("Image") or ""),
        "image_id": str(found.get("Image") or ""),
        "command": " ".join(str(word) for word in command),
        "state": str(state["Status"]),
        "health": "" if health.get("Status") in {None, "none"} else str(health["Status"]),
        "health_log": list(health.get("Log") or []),
        "exit_code": int(state.get("ExitCode") or 0),
        "oom_killed": bool(state.get("OOMKilled")),
        "error": str(state.get("Error") or ""),
        "created_at": time(found.get("Created")),
        "started_at": time(state.get("StartedAt")),
        "finished_at": time(state.get("FinishedAt")),
        "restart_count": int(found.get("RestartCount") or 0),
        "restart_policy": str((host.get("RestartPolicy") or {}).get("Name") or ""),
        "ports": ports(network.get("Ports") or {}),
        "labels": {str(name): str(value) for name, value in labels.items()},
        "mounts": list(found.get("Mounts") or []),
        "networks": dict(network.get("Networks") or {}),
        "inspect": found,
    }


def ports(found: dict[str, Any]) -> list[PortReport]:
    """Docker's `{"80/tcp": [{HostIp, HostPort}] | null}` as rows."""
    rows: list[PortReport] = []
    for name, bindings in found.items():
        number, _, protocol = name.partition("/")
        plain: PortReport = {"container_port": int(number), "protocol": protocol or "tcp"}
        rows += [
            {**plain, "host_ip": str(one.get("HostIp") or ""), "host_port": int(one.get("HostPort") or 0)}
            for one in bindings or []
        ] or [plain]
    return rows


def image(found: dict[str, Any]) -> ImageReport:
    """From a row of the image list."""
    none = "<none>"
    return {
        "engine_id": found["Id"],
        "references": [tag for tag in found.get("RepoTags") or [] if not tag.startswith(none)],
        "digests": [digest for digest in found.get("RepoDigests") or [] if not digest.startswith(none)],
        "size": int(found.get("Size") or 0),
        "created_at": seconds(found.get("Created")),
        "labels": dict(found.get("Labels") or {}),
    }


def volume(found: dict[str, Any]) -> VolumeReport:
    """From a volume's inspect, or a row of the list."""
    labels = found.get("Labels") or {}
    return {
        "name": found["Name"],
        "longshore_id": str(labels.get(ID_LABEL, "")),
        "driver": str(found.get("Driver") or ""),
        "mountpoint": str(found.get("Mountpoint") or ""),
        "options": dict(found.get("Options") or {}),
        "labels": dict(labels),
        "created_at": time(found.get("CreatedAt")),
    }


def network(found: dict[str, Any]) -> NetworkReport:
    """From a network's inspect, or a row of the list."""
    labels = found.get("Labels") or {}
    return {
        "engine_id": found["Id"],
        "longshore_id": str(labels.get(ID_LABEL, "")),
        "name": found["Name"],
        "driver": str(found.get("Driver") or ""),
        "scope": str(found.get("Scope") or ""),
        "internal": bool(found.get("Internal")),
        "attachable": bool(found.get("Attachable")),
        "enable_ipv6": bool(found.get("EnableIPv6")),
        "ipam": dict(found.get("IPAM") or {}),
        "options": dict(found.get("Options") or {}),
        "labels": dict(labels),
        "created_at": time(found.get("Created")),
        "containers": sorted(found.get("Containers") or {}),
    }


def time(value: Any) -> str:
    """Docker's time, empty for its year 1."""
    text = str(value or "")
    return "" if text.startswith("0001-") else text


def seconds(value: Any) -> str:
    """A time that may be seconds since 1970 as RFC 3339."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).isoformat()
    return time(value)
