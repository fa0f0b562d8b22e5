"""Containers in Docker's JSON: one in full, one as a row of the list. No IO; what others know comes in as arguments.

Docker Engine API: ContainerInspect, ContainerList. null, ``[]`` and ``{}`` are as dockerd sends them: typed clients
break on the difference.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from agent.engine.containers.oci import apparmor
from agent.engine.containers.options import security
from agent.engine.state.records import ContainerRecord, Health, MountPoint, State, Status
from agent.engine.state.times import rfc3339nano

Json = dict[str, Any]

_SECOND = 1_000_000_000
# What a client asked for on a network is told by an inspection, not by the list.
_UNLISTED = {"IPAMConfig": None, "Links": None, "Aliases": None, "DriverOpts": None}


def duration(seconds: float) -> str:
    """A span in words, as Docker rounds it."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = whole // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    for unit, size, last in (("days", 24, 24 * 14), ("weeks", 168, 24 * 60), ("months", 720, 24 * 730)):
        if hours < last:
            return f"{hours // size} {unit}"
    return f"{hours // 24 // 365} years"


def status_text(state: State, now_ns: int | None = None) -> str:
    """The STATUS column: ``Up 2 minutes (healthy)``, ``Exited (1) About an hour ago``."""
    now = time.time_ns() if now_ns is None else now_ns

    def since(moment: int) -> str:
        return duration((now - moment) / _SECOND)

    if state.status is Status.PAUSED:
        return f"Up {since(state.started_ns)} (Paused)"
    if state.status is Status.RESTARTING:
        return f"Restarting ({state.exit_code}) {since(state.finished_ns)} ago"
    if state.status is Status.RUNNING:
        up = f"Up {since(state.started_ns)}"
        if state.health is None:
            return up
        return f"{up} (health: starting)" if state.health.status == "starting" else f"{up} ({state.health.status})"
    if state.status is Status.REMOVING:
        return "Removal In Progress"
    if state.status is Status.DEAD:
        return "Dead"
    if state.status is Status.CREATED or not state.finished_ns:
        return "Created"
    return f"Exited ({state.exit_code}) {since(state.finished_ns)} ago"


def health(found: Health) -> Json:
    """``State.Health``."""
    return {
        "Status": found.status,
        "FailingStreak": found.failing_streak,
        "Log": [
            {
                "Start": rfc3339nano(one.start_ns),
                "End": rfc3339nano(one.end_ns),
                "ExitCode": one.exit_code,
                "Output": one.output,
            }
            for one in found.log
        ],
    }


def state(found: State) -> Json:
    """``State`` of an inspection."""
    shown: Json = {
        "Status": str(found.status),
        "Running": found.running,
        "Paused": found.status is Status.PAUSED,
        "Restarting": found.status is Status.RESTARTING,
        "OOMKilled": found.oom_killed,
        "Dead": found.status is Status.DEAD,
        "Pid": found.pid if found.alive else 0,
        "ExitCode": found.exit_code,
        "Error": found.error,
        "StartedAt": rfc3339nano(found.started_ns),
        "FinishedAt": rfc3339nano(found.finished_ns),
    }
    if found.health is not None:
        shown["Health"] = health(found.health)
    return shown


def mount(point: MountPoint) -> Json:
    """One entry of ``Mounts``."""
    shown: Json = {"Type": point.type}
    if point.name:
        shown["Name"] = point.name
    shown |= {"Source": point.source, "Destination": point.destination}
    if point.driver:
        shown["Driver"] = point.driver
    return shown | {"Mode": point.mode, "RW": point.rw, "Propagation": point.propagation}


def _profile(record: ContainerRecord) -> str:
    """The AppArmor profile, where there is AppArmor: the one asked for, or the default once it has run."""
    if not apparmor.present():
        return ""
    asked = security.options(record.host_config.get("SecurityOpt")).apparmor
    if asked or not record.state.started_ns:
        return asked
    return apparmor.UNCONFINED if record.host_config.get("Privileged") else apparmor.NAME


def describe(
    record: ContainerRecord,
    *,
    network_settings: Mapping[str, Any],
    exec_ids: Sequence[str],
    graph: Mapping[str, str] | None,
    files: Mapping[str, str],
    links: Sequence[str] | None = None,
) -> Json:
    """A container's inspection.

    Args:
        record: the container.
        network_settings: ``NetworkSettings``, ready.
        exec_ids: of the execs that have not ended.
        graph: ``GraphDriver.Data``.
        files: host paths of ``ResolvConfPath``, ``HostnamePath`` and ``HostsPath``.
        links: ``HostConfig.Links``, with the names of now.
    """
    return {
        "Id": record.id,
        "Created": rfc3339nano(record.created_ns),
        "Path": record.path,
        "Args": list(record.args),
        "State": state(record.state),
        "Image": record.image_id,
        "ResolvConfPath": files.get("ResolvConfPath", ""),
        "HostnamePath": files.get("HostnamePath", ""),
        "HostsPath": files.get("HostsPath", ""),
        "LogPath": record.log_path if _keeps_log(record) else "",
        "Name": f"/{record.name}",
        "RestartCount": record.restart_count,
        "Driver": record.driver,
        "Platform": record.platform,
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": _profile(record),
        "ExecIDs": list(exec_ids) or None,
        "HostConfig": record.host_config | {"Links": links},
        "GraphDriver": {"Data": dict(graph) if graph else None, "Name": record.driver},
        "Mounts": [mount(point) for point in record.mounts],
        "Config": record.config,
        "NetworkSettings": dict(network_settings),
    }


def _keeps_log(record: ContainerRecord) -> bool:
    return ((record.host_config.get("LogConfig") or {}).get("Type") or "json-file") == "json-file"


def command(record: ContainerRecord) -> str:
    """The COMMAND column."""
    return " ".join([record.path, *(f"'{arg}'" if " " in arg else arg for arg in record.args)])


def ports(found: Mapping[str, Sequence[Mapping[str, str]] | None]) -> list[Json]:
    """``Ports`` of a row: published ones with their address, exposed ones without."""
    rows: list[Json] = []
    for key, bindings in found.items():
        number, _, protocol = key.partition("/")
        private = int(number)
        for binding in bindings or ():
            rows.append(
                {
                    "IP": binding.get("HostIp", ""),
                    "PrivatePort": private,
                    "PublicPort": int(binding.get("HostPort") or 0),
                    "Type": protocol,
                }
            )
        if not bindings:
            rows.append({"PrivatePort": private, "Type": protocol})
    return rows


def summary(
    record: ContainerRecord,
    *,
    networks: Mapping[str, Any],
    image: str,
    aliases: Sequence[str] = (),
    now_ns: int | None = None,
) -> Json:
    """A container as a row of the list.

    Args:
        record: the container.
        networks: ``NetworkSettings.Networks``, ready.
        image: the IMAGE column: the name that the client gave, or the id where that name means another image by now.
        aliases: names that other containers' links give it.
        now_ns: the present, for the STATUS column.
    """
    return {
        "Id": record.id,
        "Names": [f"/{record.name}", *aliases],
        "Image": image,
        "ImageID": record.image_id,
        "Command": command(record),
        "Created": record.created_ns // _SECOND,
        "Ports": ports(record.network.ports) if record.state.alive else [],
        "Labels": record.labels,
        "State": str(record.state.status),
        "Status": status_text(record.state, now_ns),
        "HostConfig": {"NetworkMode": record.network_mode},
        "NetworkSettings": {"Networks": {name: settings | _UNLISTED for name, settings in networks.items()}},
        "Mounts": [mount(point) for point in record.mounts],
    }
