"""Join a container to a network, or take it out, whether or not it runs."""

import contextlib
from collections.abc import Mapping, Sequence

import msgspec

from agent.engine.errors import Denied, Invalid, NotFound, System
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.networkers import Home
from agent.engine.networks import hostfiles, live, sandbox
from agent.engine.networks.attach import bind, check_config, make_endpoint, shown_ports
from agent.engine.networks.endpoint import SHORT_ID, Endpoint, Json
from agent.engine.networks.host import read_mode
from agent.engine.networks.hostfiles import HostFiles
from agent.engine.networks.live import LiveSandbox, Target
from agent.engine.networks.ops import Ops, host_resolv, read
from agent.engine.networks.ports import PortRequest
from agent.engine.networks.requests import SandboxRequest, check_endpoints
from agent.engine.state.records import ContainerRecord, NetworkRecord

HOST = "container cannot be disconnected from host network or connected to host network"
NONE = "container cannot be connected to multiple networks with one of the networks in private (none) mode"
SHARED = "container sharing network namespace with another container or host cannot be connected to any other network"


async def connect(ops: Ops, network: NetworkRecord, container: ContainerRecord, config: Json) -> None:
    """Join. The caller holds the container's lock.

    Raises:
        Denied: it is there already.
        Invalid: its mode forbids it, or what it asks for is none.
        Unavailable, System: as ``attach``.
    """
    wanted = SandboxRequest.of(container).wanted(ops.catalogue.name_of)
    _check_mode(network, container, wanted)
    check_endpoints({network.name: config})
    check_config(network, config)
    one = ops.live.get(container.id)
    if one is not None:
        if network.name in one.endpoints:
            raise Denied(f"endpoint with name {container.name} already exists in network {network.name}")
        await _plug(ops, one, network, container, config)
    elif not network.predefined:
        aliases = (*(config.get("Aliases") or ()), container.id[:SHORT_ID])
        config = {**config, "Aliases": list(dict.fromkeys(aliases))}
    await _save(ops, container, {**wanted, network.name: config}, one)
    failpoint("connect.saved")
    if one is not None:
        ops.tell_endpoint(one.endpoints[network.name], "connect", container.id)


async def disconnect(ops: Ops, network: NetworkRecord, container: ContainerRecord, *, force: bool) -> None:
    """Take out. The caller holds the container's lock.

    Raises:
        System: it is not on the network.
        Invalid: its mode forbids it.
    """
    if network.driver == "host" and read_mode(container.network_mode).kind == "host":
        raise Invalid(HOST)
    wanted = SandboxRequest.of(container).wanted(ops.catalogue.name_of)
    one = ops.live.get(container.id)
    if network.name not in wanted and (one is None or network.name not in one.endpoints):
        raise System(f"container {container.id} is not connected to network {network.name}")
    end = one.endpoints.get(network.name) if one is not None else None
    kept = {name: config for name, config in wanted.items() if name != network.name}
    if one is not None and end is not None:
        before = dict(one.endpoints)
        remaining = [other for name, other in before.items() if name != network.name]
        del one.endpoints[network.name]
        # The record first: after a crash a link that belongs to nobody is taken away, one that is missing is not made.
        try:
            await _save(ops, container, kept, one)
        except BaseException:
            one.endpoints = before
            raise
        try:
            await ops.workers.run(lambda home: _unplug(ops, home, one, end, remaining))
            failpoint("disconnect.unplugged")
        except (OSError, System):
            if not force:
                raise
        ops.catalogue.give_back(end)
        await _repoint(ops, one, SandboxRequest.of(container))
        await ops.workers.run(lambda _: _rewrite_hosts(ops, one, container))
    await _save(ops, container, kept, one)
    if end is not None:
        # dockerd tells it twice for a running container: once when the endpoint goes, once when the request is done.
        ops.tell_endpoint(end, "disconnect", container.id)
        ops.tell_endpoint(end, "disconnect", container.id)


async def _plug(ops: Ops, one: LiveSandbox, network: NetworkRecord, container: ContainerRecord, config: Json) -> None:
    await ops.ensure_link(network)
    end = make_endpoint(ops, one, network, config)
    endpoints = [*one.endpoints.values(), end]

    def work(home: Home) -> None:
        if end.addresses:
            ops.rules.guard(home, [end])
            sandbox.plug(home, one.path, ops.wire(end), endpoints)
            failpoint("connect.plugged")

    try:
        await ops.workers.run(work)
        one.endpoints[network.name] = end
        given = container.host_config
        resolv = hostfiles.wanted(
            host_resolv(),
            given.get("Dns") or (),
            given.get("DnsSearch") or (),
            given.get("DnsOptions") or (),
        )
        await ops.start_resolver(one, given.get("Dns") or ())
        await _repoint(ops, one, SandboxRequest.of(container))
        await ops.workers.run(lambda _: _rewrite_hosts(ops, one, container, resolv))
    except BaseException:
        one.endpoints.pop(network.name, None)
        ops.catalogue.give_back(end)
        remaining = [*one.endpoints.values()]
        with contextlib.suppress(OSError, System):
            await ops.workers.run(lambda home: _unplug(ops, home, one, end, remaining))
            await _repoint(ops, one, SandboxRequest.of(container))
        raise


def _unplug(ops: Ops, home: Home, one: LiveSandbox, end: Endpoint, remaining: Sequence[Endpoint]) -> None:
    sandbox.unplug(home, one.path, end, remaining)
    ops.rules.unguard(home, [end])


async def _repoint(ops: Ops, one: LiveSandbox, request: SandboxRequest) -> None:
    """Lead the published ports to the network that is now first, keeping their numbers; to none: take them back.

    Raises:
        System: a port cannot be had.
    """
    target = live.target_of(one.endpoints.values(), ops.catalogue)
    if target == one.target:
        return
    if target is None:
        one.close_relays()
        await ops.parking.drop(one.container_id)
    wanted = request.port_requests()
    await ops.workers.run(lambda home: _lead(ops, home, one, wanted, target))
    one.point_relays()
    await one.start_relays(ops.workers)


def _lead(ops: Ops, home: Home, one: LiveSandbox, wanted: Sequence[PortRequest], target: Target | None) -> None:
    ops.rules.unpublish(home, one.rules)
    one.rules, one.target = [], target
    if target is None:
        ops.ports.release(one.bindings)
        one.bindings = []
        return
    if not one.bindings:
        one.bindings = bind(ops, one, wanted, target)
    rules = live.all_rules(one.bindings, wanted, target)
    ops.rules.publish(home, rules)
    one.rules = rules


def _rewrite_hosts(
    ops: Ops, one: LiveSandbox, container: ContainerRecord, resolv: hostfiles.Resolv | None = None
) -> None:
    """The container's own lines follow its addresses; lines that it wrote itself stay."""
    files = HostFiles(ops.paths.container(one.container_id))
    names = SandboxRequest.of(container).names
    addresses = [str(assigned.address) for end in one.endpoints.values() for assigned in end.addresses]
    kept = [line for line in read(files.hosts).splitlines() if line.partition("\t")[2] != names]
    text = "".join(f"{line}\n" for line in (*kept, *(f"{address}\t{names}" for address in addresses)))
    known = hostfiles.resolv(hostfiles.embedded(resolv)) if resolv is not None and one.resolver is not None else None
    files.write(hosts=text, resolv=known)


async def _save(ops: Ops, container: ContainerRecord, wanted: dict[str, Json], one: LiveSandbox | None) -> None:
    ops.parking.put(container.id)
    if container.id not in ops.containers:
        raise NotFound(f"No such container: {container.id}")
    network = container.network
    if one is not None:
        settings = {name: end.settings() for name, end in one.endpoints.items()}
        ports = shown_ports(one, SandboxRequest.of(container))
        network = msgspec.structs.replace(network, endpoints=settings, ports=ports, ifnames=one.ifnames)
    await ops.containers.change(container.id, endpoints_config=wanted, unplugged=not wanted, network=network)


def _check_mode(network: NetworkRecord, container: ContainerRecord, wanted: Mapping[str, Json]) -> None:
    mode = read_mode(container.network_mode).kind
    if network.driver == "host":
        raise Invalid(HOST)
    if mode in ("host", "container"):
        raise Invalid(SHARED)
    if network.driver == "null" or "none" in wanted:
        raise Invalid(NONE)
