"""From a container's record and a started sandbox to the OCI specification of this run."""

import asyncio
import contextlib
import os
import posixpath
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.engine.containers import sharing
from agent.engine.containers.oci import apparmor, cdi, labels, seccomp, spec, users, workdirs
from agent.engine.containers.oci.spec import Json, Prepared
from agent.engine.containers.ops import Ops
from agent.engine.containers.options import blockio, devices, security
from agent.engine.containers.options.mounts import covers
from agent.engine.errors import Invalid, System
from agent.engine.kernel import files
from agent.engine.kernel import mounts as kernel_mounts
from agent.engine.networks.requests import Sandbox
from agent.engine.state.records import ContainerRecord, MountPoint

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64")

INIT_PROGRAMS = ("catatonit", "tini", "docker-init")


def init_program() -> str:
    """Path of the init that ``--init`` puts before the program.

    Raises:
        System: none is installed.
    """
    for name in INIT_PROGRAMS:
        for directory in ("/usr/libexec/catatonit", "/usr/libexec/podman", None):
            if found := shutil.which(name, path=directory):
                return found
    raise System("--init needs catatonit, which is not installed")


def own_capabilities(ops: Ops, record: ContainerRecord) -> tuple[str, ...]:
    """The bounding set of a container."""
    docker = ops.config.default_capabilities == "docker"
    defaults = security.DOCKER_CAPABILITIES if docker else security.DEFAULT_CAPABILITIES
    wanted = security.capabilities(record.host_config, defaults, security.last_capability())
    ours = security.own_capabilities()
    return tuple(name for name in wanted if name in ours)


def filter_of(ops: Ops, record: ContainerRecord, held: tuple[str, ...]) -> tuple[Json | None, str]:
    """(seccomp section, key of its compiled form) of a container; None where it runs unconfined."""
    wanted = security.options(record.host_config.get("SecurityOpt")).seccomp
    if wanted == "unconfined" or (record.host_config.get("Privileged") and not wanted):
        return None, ""
    if wanted:
        found = seccomp.custom(wanted, held, ARCH)
        return found, ops.filters.key(found)
    return ops.filters.default(held, ARCH)


def _host_files(sandbox: Sandbox, record: ContainerRecord) -> dict[str, str]:
    own = {
        "/etc/resolv.conf": str(sandbox.resolv_path),
        "/etc/hostname": str(sandbox.hostname_path),
        "/etc/hosts": str(sandbox.hosts_path),
    }
    covered = {point.destination for point in record.mounts}
    return {inside: outside for inside, outside in own.items() if inside not in covered}


def _make_missing_sources(points: tuple[MountPoint, ...], api_binds: set[str]) -> None:
    """``-v /missing:/x`` makes the directory, as dockerd does; ``--mount`` refuses."""
    for point in points:
        if point.type != "bind" or Path(point.source).exists():
            continue
        if point.destination in api_binds:
            raise Invalid(f'invalid mount config for type "bind": bind source path does not exist: {point.source}')
        try:
            Path(point.source).mkdir(parents=True, mode=0o755)
        except OSError as error:
            raise System(f"error while creating mount source path '{point.source}': {error}") from error


def _make_places(rootfs: Path, points: tuple[MountPoint, ...], tmpfs: Iterable[str]) -> None:
    """Runtimes make what is missing with modes of their own."""
    wanted = {point.destination: point.type == "tmpfs" or Path(point.source).is_dir() for point in points}
    for place, directory in (dict.fromkeys(tmpfs, True) | wanted).items():
        # A link in the way is the runtime's to follow or refuse.
        with contextlib.suppress(OSError):
            files.make_place(rootfs, place, directory=directory)


def _with_propagation(points: tuple[MountPoint, ...], root: str) -> tuple[MountPoint, ...]:
    """A bind that shall see the host's later mounts needs a source that passes them on. One around our own data root,
    which is to see us unmount, keeps to itself where that cannot be.
    """
    found = []
    for point in points:
        kind = point.propagation.removeprefix("r")
        if point.type != "bind" or kind not in {"shared", "slave"}:
            found.append(point)
            continue
        mount = kernel_mounts.mount_of(Path(point.source))
        allowed = {"shared"} if kind == "shared" else {"shared", "slave"}
        if mount is not None and mount.propagation in allowed:
            found.append(point)
        elif kind == "slave" and covers(point.source, root):
            found.append(msgspec.structs.replace(point, propagation="rprivate"))
        else:
            words = " or ".join(sorted(allowed))
            where = mount.target if mount else "/"
            raise System(f"path {point.source} is mounted on {where} but it is not a {words} mount")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a thread has looked up."""

    mounts: tuple[MountPoint, ...]
    user: users.User
    nodes: list[Json]
    rules: list[Json]
    edits: list[Json]
    named: list[tuple[Json, str]]
    block_io: Json
    profile: str


async def prepared(
    ops: Ops,
    record: ContainerRecord,
    rootfs: Path,
    sandbox: Sandbox,
    points: tuple[MountPoint, ...],
    linked: tuple[str, ...] = (),
) -> tuple[Prepared, str]:
    """Look up what the disk and the kernel know; (the input of ``spec.build``, the filter's key).

    Raises:
        Invalid: no such user or group.
        System: no such device, a bind's source cannot be made, or a namespace to share is not there.
    """
    host = record.host_config
    held = own_capabilities(ops, record)
    section, key = filter_of(ops, record, held)
    options = security.options(host.get("SecurityOpt"))
    api_binds = {
        given.get("Target", "").rstrip("/")
        for given in host.get("Mounts") or []
        if given.get("Type") == "bind" and not (given.get("BindOptions") or {}).get("CreateMountpoint")
    }
    privileged = bool(host.get("Privileged"))
    security.sysctls(sharing.resolved(ops, host))
    ids = sharing.users_of(ops, record)

    def look() -> _Found:
        _make_missing_sources(points, api_binds)
        if ids is None:
            _make_places(rootfs, points, host.get("Tmpfs") or {})
        placed = _with_propagation(points, str(ops.paths.root))
        user = users.resolve(rootfs, record.config.get("User") or "", host.get("GroupAdd") or ())
        given = host.get("Devices")
        nodes, rules = (devices.of_host(given), []) if privileged else devices.asked(given)
        edits: list[Json] = []
        if host.get("DeviceRequests"):
            catalogue = cdi.Catalogue()
            edits = cdi.edits(cdi.names(host["DeviceRequests"], catalogue), catalogue)
        return _Found(
            mounts=placed,
            user=user,
            nodes=nodes,
            rules=rules,
            edits=edits,
            named=devices.named(edits),
            block_io=blockio.resources(host),
            profile=apparmor.profile_of(options.apparmor, privileged=privileged),
        )

    found = await asyncio.to_thread(look)
    netns = sandbox.netns_path or ops.config.netns
    result = Prepared(
        rootfs=str(rootfs),
        cgroup=cgroup_of(ops, record),
        cgroup_version=ops.hierarchy.version,
        machine=ops.machine,
        pids_limit=ops.config.pids_limit,
        user=found.user,
        netns=str(netns) if netns else None,
        hostname=sandbox.hostname or record.config.get("Hostname") or record.id[:12],
        mounts=found.mounts,
        files=_host_files(sandbox, record),
        devices=tuple(found.nodes),
        device_rules=tuple(found.rules),
        capabilities=held,
        seccomp=section,
        seccomp_compiled=ops.filters.compiled(key) if key and ops.runtime.kind_of(record.runtime) == "crun" else None,
        # In another's pid namespace there is an init already.
        init=init_program() if host.get("Init") and not host.get("PidMode") else "",
        environment=linked,
        block_io=found.block_io,
        joined=sharing.namespaces(ops, record, ids),
        shared_memory=sharing.memory(ops, record),
        edits=tuple(found.edits),
        named_devices=tuple(found.named),
        apparmor=found.profile,
        labels=labels.make(options.label, labels.contexts(), labels.categories()),
        ids=ids,
    )
    return result, key


def cgroup_of(ops: Ops, record: ContainerRecord) -> str:
    """The container's group, absolute within the hierarchy, whatever its parent is written like."""
    parent = record.host_config.get("CgroupParent") or ops.config.cgroup
    return posixpath.normpath(f"/{parent}/{record.id}").replace("//", "/")


def build(record: ContainerRecord, given: Prepared) -> Json:
    """The specification, for records whose paths are in order.

    Raises:
        Invalid: the working directory leads through a magic link.
    """
    if directory := record.config.get("WorkingDir"):
        workdirs.check(Path(given.rootfs), directory)
    return spec.build(record, given)
