"""A container's start: its namespace, endpoints, ports and host files. All of it, or nothing."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_address

from agent.engine.errors import Conflict, Invalid, NotFound, System
from agent.engine.kernel import namespaces
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.networkers import Home
from agent.engine.networks import hostfiles, ipam, live, requests, sandbox
from agent.engine.networks.endpoint import SHORT_ID, Endpoint, Json, new_id
from agent.engine.networks.host import read_mode
from agent.engine.networks.hostfiles import HostFiles
from agent.engine.networks.live import LiveSandbox
from agent.engine.networks.names import needs_resolver
from agent.engine.networks.ops import HOST_HOSTS, HOST_RESOLV, Ops, host_resolv, read
from agent.engine.networks.ports import Binding, PortRequest, shown
from agent.engine.networks.requests import Sandbox, SandboxRequest
from agent.engine.state.lookup import only_prefix
from agent.engine.state.records import NetworkRecord, NetworkState


async def attach(ops: Ops, request: SandboxRequest) -> Sandbox:
    """Give a container its place. The caller holds the container's lock.

    Raises:
        NotFound: a network that is not there.
        Conflict: it would join a container that does not run.
        Denied, Invalid, Unavailable, System: an address or port cannot be had, or the kernel refused.
    """
    mode = read_mode(request.network_mode)
    if mode.kind == "container":
        return _join(ops, mode.target)
    networks = [(ops.catalogue.find(name), config) for name, config in request.wanted(ops.catalogue.name_of).items()]
    for network, config in networks:
        check_config(network, config)
        await ops.ensure_bridge(network)
    if any(line.endswith(requests.HOST_GATEWAY) for line in request.extra_hosts):
        await ops.ensure_bridge(ops.catalogue.find("bridge"))
    one = LiveSandbox(request.container_id, request.name, request.hostname, ops.paths.namespace(request.container_id))
    resolv = hostfiles.wanted(host_resolv(), request.dns, request.dns_search, request.dns_options)
    async with AsyncExitStack() as undo:
        for network, config in networks:
            end = make_endpoint(ops, one, network, config)
            undo.callback(ops.catalogue.give_back, end)
            one.endpoints[network.name] = end
        failpoint("start.addressed")
        await ops.workers.run(lambda home: _build(ops, home, one, request, resolv, mode.kind))
        undo.push_async_callback(ops.teardown, one)
        await one.start_relays(ops.workers)
        await ops.start_resolver(one, request.dns)
        undo.pop_all()
    ops.live[one.container_id] = one
    for end in one.endpoints.values():
        ops.tell_endpoint(end, "connect", one.container_id)
    return _result(ops, one, mode.kind, request)


def make_endpoint(ops: Ops, one: LiveSandbox, network: NetworkRecord, config: Json) -> Endpoint:
    """Choose addresses, MAC, names and ids.

    Raises:
        Unavailable, Denied, Invalid: see ``Catalogue.assign``.
    """
    addresses = ops.catalogue.assign(network, config) if network.driver == "bridge" else ()
    aliases = tuple(config.get("Aliases") or ())
    if network.driver == "bridge" and not network.predefined:
        aliases = (*aliases, one.container_id[:SHORT_ID])
    return Endpoint(
        network_id=network.id,
        network=network.name,
        driver=network.driver,
        config=config,
        aliases=tuple(dict.fromkeys(aliases)),
        id=new_id(),
        mac=(config.get("MacAddress") or ipam.mac_of(addresses[0].address)) if addresses else "",
        ifname=one.next_ifname() if addresses else "",
        addresses=addresses,
        internal=network.internal,
    )


def _build(
    ops: Ops, home: Home, one: LiveSandbox, request: SandboxRequest, resolv: hostfiles.Resolv, kind: str
) -> None:
    """In a worker: files, ports, namespace and links, rules. Undoes itself."""
    as_host = kind == "host" and not (request.dns or request.dns_search or request.dns_options)
    inside = hostfiles.resolv(hostfiles.embedded(resolv) if needs_resolver(one) else resolv)
    HostFiles(ops.paths.container(one.container_id)).write(
        hosts=_hosts(ops, one, request, kind),
        resolv=read(HOST_RESOLV) if as_host else inside,
        hostname=f"{request.hostname}\n",
    )
    if kind == "host":
        return
    try:
        target = live.target_of(one.endpoints.values())
        if target is not None:
            one.bindings = _bind(ops, one, request.port_requests())
            failpoint("start.bound")
        namespaces.remove_network(one.path)
        ops.rules.guard(home, one.endpoints.values())
        failpoint("start.guarded")
        sandbox.build(home, one.path, [ops.wire(end) for end in one.endpoints.values() if end.addresses])
        failpoint("start.linked")
        wanted = live.all_rules(one.bindings, target)
        ops.rules.publish(home, wanted)
        one.rules = wanted
        failpoint("start.published")
    except BaseException:
        ops.unbuild(home, one)
        raise


def _bind(ops: Ops, one: LiveSandbox, wanted: Sequence[PortRequest]) -> list[Binding]:
    made: list[Binding] = []
    try:
        for request in wanted:
            made += ops.ports.bind(request, ops.config.default_publish_address)
    except System as error:
        ops.ports.release(made)
        end = next(end for end in one.endpoints.values() if end.of_version(4))
        raise System(
            f"driver failed programming external connectivity on endpoint {one.name} ({end.id}): {error}"
        ) from error
    return made


def _hosts(ops: Ops, one: LiveSandbox, request: SandboxRequest, kind: str) -> str:
    default = ops.catalogue.plans(ops.catalogue.find("bridge").id)[0]
    extra = requests.split_extra_hosts(request.extra_hosts, str(default.gateway))
    if kind == "host":
        return read(HOST_HOSTS) + "".join(f"{address}\t{name}\n" for address, name in extra)
    addresses = [str(assigned.address) for end in one.endpoints.values() for assigned in end.addresses]
    return hostfiles.hosts(addresses, request.names, extra)


def _join(ops: Ops, target: str) -> Sandbox:
    """The place of another container that runs."""
    full = only_prefix((record.id for record in ops.containers), target)
    record = ops.containers.by_name(target) or (ops.containers.find(full) if full else None)
    if record is None:
        raise NotFound(f"No such container: {target}")
    if not record.state.alive:
        raise Conflict(f"cannot join network of a non running container: {record.id}")
    mode = read_mode(record.network_mode)
    if mode.kind == "container":
        return _join(ops, mode.target)
    files = HostFiles(ops.paths.container(record.id))
    path = ops.config.netns if mode.kind == "host" else ops.paths.namespace(record.id)
    state = NetworkState(hosts_path=str(files.hosts), resolv_path=str(files.resolv), hostname_path=str(files.hostname))
    hostname = record.config.get("Hostname") or ""
    return Sandbox(path, files.hosts, files.resolv, files.hostname, state, hostname=hostname)


def _result(ops: Ops, one: LiveSandbox, kind: str, request: SandboxRequest) -> Sandbox:
    files = HostFiles(ops.paths.container(one.container_id))
    path = ops.config.netns if kind == "host" else one.path
    state = NetworkState(
        sandbox_id=new_id(),
        sandbox_key=str(path or "/proc/self/ns/net"),
        endpoints={name: end.settings() for name, end in one.endpoints.items()},
        ports=shown(one.bindings, request.exposed) if one.endpoints and kind == "bridge" else {},
        hosts_path=str(files.hosts),
        resolv_path=str(files.resolv),
        hostname_path=str(files.hostname),
    )
    return Sandbox(path, files.hosts, files.resolv, files.hostname, state)


def check_config(network: NetworkRecord, config: Json) -> None:
    """What only a network of the user's own can give.

    Raises:
        Invalid: it was asked of another.
    """
    asked = {key: (config.get("IPAMConfig") or {}).get(key) for key in ("IPv4Address", "IPv6Address")}
    if network.predefined and any(asked.values()):
        raise Invalid(requests.IP_NEEDS_USER_NETWORK)
    if network.predefined and config.get("Aliases"):
        raise Invalid(requests.ALIAS_NEEDS_USER_NETWORK)
    for text in filter(None, asked.values()):
        if not any(
            not subnet.get("Default") and ipam.plan(subnet).version == ip_address(text).version
            for subnet in network.subnets
        ):
            raise Invalid(requests.IP_NEEDS_SUBNET)
