"""Make a container: its record, its writable layer, its volumes. Nothing runs yet.

Docker Engine API: ContainerCreate. All of the request is judged before anything is made; the record appears, whole,
with the commit that closes the intent.
"""

import contextlib
import os
import posixpath
import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from agent.engine.containers import links as linking
from agent.engine.containers import sharing, sources
from agent.engine.containers.logs.drivers.options import Default
from agent.engine.containers.ops import Image, Ops
from agent.engine.containers.options import config as configs
from agent.engine.containers.options import hostconfig, limits, mounts, names, security
from agent.engine.errors import Conflict, Invalid
from agent.engine.kernel import cgroups
from agent.engine.kernel.failpoints import failpoint
from agent.engine.networks import ports, requests
from agent.engine.networks.requests import SandboxRequest
from agent.engine.state.records import ContainerRecord, MountPoint
from agent.engine.storage.faults import kernel_errors

Json = dict[str, Any]

_OWN_KEYS = frozenset({"HostConfig", "NetworkingConfig", "Platform", "Name", "Runtime"})


def plan(
    ops: Ops, container_id: str, name: str, body: Mapping[str, Any], image: Image, *, deep: bool = True
) -> tuple[ContainerRecord, list[str]]:
    """The record that the request means, and warnings. Makes nothing.

    Args:
        ops: the engine's parts.
        container_id: of the new container.
        name: its name.
        body: the API's request.
        image: what it is made from.
        deep: see ``mounts.collect``.

    Raises:
        Invalid: naming what cannot be.
    """
    for key, value in body.items():
        if key not in configs.KEYS and key not in _OWN_KEYS and value:
            raise Invalid(f"the option {key} is not known: {value!r}")
    config = configs.completed(body, image.defaults, container_id)
    host = hostconfig.completed(
        # docker-py names the runtime outside, where dockerd does not look for it
        ({"Runtime": body["Runtime"]} if body.get("Runtime") else {}) | (body.get("HostConfig") or {}),
        cgroup_version=ops.hierarchy.version,
        shm_size=ops.config.shm_size,
        runtime=ops.runtime.name,
        runtimes=ops.runtime.names,
        log_default=Default(ops.config.log_driver, ops.config.log_options),
    )
    sharing.by_id(ops, host)
    if sharing.remapped(ops, host):
        hostconfig.check_users(host)
    if host["UTSMode"] == "host" and body.get("Hostname"):
        raise Invalid("conflicting options: hostname and the UTS mode")
    if host["NetworkMode"] == "host":
        config["Hostname"] = body.get("Hostname") or os.uname().nodename
    warnings = [*limits.check(host, ops.machine), *requests.check_mode(body, host)]
    security.sysctls(sharing.resolved(ops, host))
    limits.without(host, ops.machine)
    if hostconfig.layer_size(host.get("StorageOpt")) and not ops.snapshots.limits():
        raise Invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
    security.device_rules(host["DeviceCgroupRules"])
    links = linking.made(host["Links"], host["NetworkMode"], lambda ref: sharing.find(ops, ref))
    points = mounts.collect(
        host,
        config,
        others=mounts.inherited(host["VolumesFrom"] or (), lambda ref: sharing.find(ops, ref).mounts),
        deep=deep,
        root=str(ops.paths.root),
    )
    program, arguments = configs.command(config)
    endpoints = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    record = ContainerRecord(
        id=container_id,
        name=name,
        created_ns=time.time_ns(),
        path=program,
        args=arguments,
        config=config,
        host_config=host,
        image_id=image.id,
        image_ref=config["Image"],
        chain_id=image.chain_id,
        endpoints_config={key: value or {} for key, value in endpoints.items()},
        mounts=points,
        log_path=str(ops.paths.log(container_id)),
        links=links,
        driver=ops.snapshots.driver,
    )
    _check_network(record)
    return record, warnings


def _check_network(record: ContainerRecord) -> None:
    request = SandboxRequest.of(record)
    requests.check_endpoints(request.wanted())
    requests.split_extra_hosts(request.extra_hosts, "127.0.0.1")
    for bindings in request.port_bindings.values():
        for binding in bindings or ():
            text = (binding.get("HostPort") or "").partition("-")[0]
            if text and not (text.isdigit() and int(text) <= 65535):
                raise Invalid(f'invalid port specification: "{binding["HostPort"]}"')
    with contextlib.suppress(KeyError):
        ports.requests(request.port_bindings, (), False)


async def create(
    ops: Ops, name: str, body: Mapping[str, Any], image: Image, *, managed: bool = False, deep: bool = True
) -> tuple[ContainerRecord, list[str]]:
    """Make the container.

    Raises:
        Invalid: the request cannot be.
        Conflict: the name is taken.
        NoSpace, System: nothing is left.
    """
    name = names.checked(name) if name else names.invented(ops.containers.names)
    container_id = secrets.token_hex(32)
    # Most are started as soon as they are made.
    cgroups.foresee_move()
    record, warnings = plan(ops, container_id, name, body, image, deep=deep)
    record = msgspec.structs.replace(record, managed=managed)
    if (other := ops.containers.by_name(name)) is not None:
        raise Conflict(
            f'Conflict. The container name "/{name}" is already in use by container "{other.id}". You have to remove'
            " (or rename) that container to be able to reuse that name."
        )
    # From here on the name is ours: no await lies between the look and the reservation.
    ops.containers.names[name] = container_id
    with kernel_errors(f"making container {name}"):
        record = await _make(ops, record)
    ops.tell(record, "create")
    return record, warnings


async def _make(ops: Ops, record: ContainerRecord) -> ContainerRecord:
    name, container_id = record.name, record.id
    async with contextlib.AsyncExitStack() as undo:
        undo.callback(_give_back, ops, name, container_id)
        intent = await ops.journal.begin("create", container_id, {"volumes": _anonymous(record)})
        undo.push_async_callback(ops.journal.done, intent)
        failpoint("create.begun")
        size = hostconfig.layer_size(record.host_config.get("StorageOpt"))
        await ops.snapshots.prepare(container_id, record.chain_id, size)
        undo.push_async_callback(ops.snapshots.remove, container_id)
        failpoint("create.layer")
        ops.paths.container(container_id).mkdir(mode=0o700, parents=True, exist_ok=True)
        undo.callback(_remove_directory, ops, container_id)
        record = msgspec.structs.replace(record, mounts=await _with_volumes(ops, record, undo))
        await sources.prepare_images(ops, record, undo)
        failpoint("create.volumes")
        await ops.containers.save(record, also=[ops.journal.closing(intent)])
        undo.pop_all()
    failpoint("create.saved")
    return record


async def remake(ops: Ops, record: ContainerRecord) -> None:
    """Make a container's folders again where a power cut took them: its record had reached the disk, and they not yet.

    As far as the disk ever knew they were empty. Waiting for them at each create would cost every start milliseconds.

    Raises:
        EngineError: its image's layers are not there, or the disk refused.
    """
    with kernel_errors(f"making the folders of container {record.name}"):
        size = hostconfig.layer_size(record.host_config.get("StorageOpt"))
        await ops.snapshots.prepare(record.id, record.chain_id, size)
        ops.paths.container(record.id).mkdir(mode=0o700, parents=True, exist_ok=True)
        if not ops.snapshots.belonging(record.id):
            async with contextlib.AsyncExitStack() as undo:
                await sources.prepare_images(ops, record, undo)
                undo.pop_all()


def _anonymous(record: ContainerRecord) -> list[str]:
    return [point.name for point in record.mounts if point.anonymous]


def _give_back(ops: Ops, name: str, container_id: str) -> None:
    if ops.containers.names.get(name) == container_id and container_id not in ops.containers:
        del ops.containers.names[name]


def _remove_directory(ops: Ops, container_id: str) -> None:
    with contextlib.suppress(OSError):
        ops.paths.container(container_id).rmdir()


async def _with_volumes(ops: Ops, record: ContainerRecord, undo: contextlib.AsyncExitStack) -> tuple[MountPoint, ...]:
    """Make the volumes that are not there yet, and fill in where they lie."""
    given = {
        posixpath.normpath(mount.get("Target") or "/"): mount.get("VolumeOptions") or {}
        for mount in record.host_config.get("Mounts") or []
    }
    binds = (raw.split(":", 2) for raw in record.host_config.get("Binds") or [])
    # What the image or another container brings along is not marked as shared among containers.
    named = {*given, *(posixpath.normpath(parts[1] if len(parts) > 1 else parts[0]) for parts in binds)}
    found = []
    for point in record.mounts:
        if point.type == "volume":
            asked = given.get(point.destination, {})
            volume = await ops.volumes.create(
                point.name,
                driver=point.driver,
                options=(asked.get("DriverConfig") or {}).get("Options"),
                labels=asked.get("Labels"),
                anonymous=point.anonymous,
            )
            if point.anonymous:
                undo.push_async_callback(_drop_volume, ops, point.name)
            mode = point.mode or ("z" if volume.driver == "local" and point.destination in named else "")
            placed = {"source": volume.mountpoint, "driver": volume.driver, "mode": mode}
            found.append(msgspec.structs.replace(point, **placed))
        else:
            found.append(point)
    return tuple(found)


async def _drop_volume(ops: Ops, name: str) -> None:
    await ops.volumes.remove(name, force=True)
