"""A container's start: its namespace, endpoints, ports and host files. All of it, or nothing."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path

from agent.engine.errors import Conflict, Denied, Invalid, NotFound, System
from agent.engine.kernel import namespaces, userns
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.networkers import Home
from agent.engine.networks import bridge, hostfiles, ipam, linked, live, requests, sandbox
from agent.engine.networks.definition import DRIVERS
from agent.engine.networks.endpoint import IFNAME, SHORT_ID, Assigned, Endpoint, Json, check_options, new_id
from agent.engine.networks.host import read_mode
from agent.engine.networks.hostfiles import HostFiles
from agent.engine.networks.live import LiveSandbox, Target
from agent.engine.networks.names import needs_resolver
from agent.engine.networks.ops import HOST_HOSTS, HOST_RESOLV, Ops, host_resolv, read
from agent.engine.networks.ports import Binding, PortRequest, shown
from agent.engine.networks.requests import Sandbox, SandboxRequest
from agent.engine.state.lookup import only_prefix
from agent.engine.state.records import ContainerRecord, NetworkRecord, NetworkState


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
        await ops.ensure_link(network)
    if any(line.endswith(requests.HOST_GATEWAY) for line in request.extra_hosts):
        await ops.ensure_link(ops.catalogue.find("bridge"))
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
    linking = linked.parents(ops, one.container_id)
    if linking:
        await ops.workers.run(lambda _: linked.refresh(ops, linking))
    await _open_links(ops, one, linking)
    ops.parking.put(one.container_id)
    for end in one.endpoints.values():
        ops.tell_endpoint(end, "connect", one.container_id)
    return _result(ops, one, mode.kind, request)


async def _open_links(ops: Ops, one: LiveSandbox, linking: list[ContainerRecord]) -> None:
    record = ops.containers.find(one.container_id)
    if record is not None and (linking or record.links):
        await ops.workers.run(lambda home: linked.open_ports(ops, home, [record, *linking]))


def make_endpoint(ops: Ops, one: LiveSandbox, network: NetworkRecord, config: Json) -> Endpoint:
    """Choose addresses, MAC, names and ids.

    Raises:
        Unavailable, Denied, Invalid: see ``Catalogue.assign``.
    """
    linked = network.driver in DRIVERS
    addresses = ops.catalogue.assign(network, config) if linked else ()
    aliases = tuple(config.get("Aliases") or ())
    if linked and not network.predefined:
        aliases = (*aliases, one.container_id[:SHORT_ID])
    return Endpoint(
        network_id=network.id,
        network=network.name,
        driver=network.driver,
        config=config,
        aliases=tuple(dict.fromkeys(aliases)),
        id=new_id(),
        mac=_mac(network, config, addresses),
        ifname=_ifname(one, network, config) if addresses else "",
        addresses=addresses,
        internal=network.internal,
        **live.ways(network),
    )


def _mac(network: NetworkRecord, config: Json, addresses: Sequence[Assigned]) -> str:
    # A child of ipvlan has its parent's.
    if not addresses or network.driver == "ipvlan":
        return ""
    return str(config.get("MacAddress") or "").lower() or ipam.mac_of(addresses[0].address)


def _ifname(one: LiveSandbox, network: NetworkRecord, config: Json) -> str:
    chosen = (config.get("DriverOpts") or {}).get(IFNAME)
    prefix = bridge.read(network).prefix if network.driver == "bridge" else "eth"
    return str(chosen) if chosen else one.next_ifname(prefix)


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
        owner=request.ids.root if request.ids else None,
    )
    if kind == "host":
        return
    try:
        wanted = request.port_requests()
        target = live.target_of(one.endpoints.values(), ops.catalogue)
        if target is not None:
            one.bindings = bind(ops, one, wanted, target)
            one.target = target
            failpoint("start.bound")
        namespaces.remove_network(one.path)
        ops.rules.guard(home, one.endpoints.values())
        failpoint("start.guarded")
        _make_users(ops, request, one)
        wires = [ops.wire(end) for end in one.endpoints.values() if end.addresses]
        sandbox.build(home, one.path, wires, there=request.ids is not None)
        failpoint("start.linked")
        rules = live.all_rules(one.bindings, wanted, target)
        ops.rules.publish(home, rules)
        one.rules = rules
        failpoint("start.published")
    except BaseException:
        ops.unbuild(home, one)
        raise


def _make_users(ops: Ops, request: SandboxRequest, one: LiveSandbox) -> None:
    """Namespaces of a container that has users of its own: the network's belongs to them, or root could not use it."""
    if request.ids is None:
        return
    own = ops.paths.user_namespace(one.container_id)
    namespaces.remove_network(own)
    if request.users:
        userns.make_network(Path(request.users), one.path)
    else:
        userns.make(request.ids, own, one.path)


def bind(ops: Ops, one: LiveSandbox, wanted: Sequence[PortRequest], target: Target) -> list[Binding]:
    """Take the host's ports of a container, in a worker.

    Raises:
        System: one cannot be had, and none is taken.
    """
    default = target.binding or ops.config.default_publish_address
    made: list[Binding] = []
    try:
        for request in wanted:
            made += ops.ports.bind(request, default, target.served)
    except System as error:
        ops.ports.release(made)
        end = next(end for end in one.endpoints.values() if end.bridged)
        raise System(
            f"driver failed programming external connectivity on endpoint {one.name} ({end.id}): {error}"
        ) from error
    return made


def _hosts(ops: Ops, one: LiveSandbox, request: SandboxRequest, kind: str) -> str:
    default = ops.catalogue.plans(ops.catalogue.find("bridge").id)[0]
    extra = requests.split_extra_hosts(request.extra_hosts, str(default.gateway))
    if kind == "host":
        return read(HOST_HOSTS) + "".join(f"{address}\t{name}\n" for address, name in extra)
    if (record := ops.containers.find(one.container_id)) is not None:
        extra += linked.lines(ops, record)
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
        ports=shown_ports(one, request),
        ifnames=one.ifnames,
        hosts_path=str(files.hosts),
        resolv_path=str(files.resolv),
        hostname_path=str(files.hostname),
    )
    return Sandbox(path, files.hosts, files.resolv, files.hostname, state)


def shown_ports(one: LiveSandbox, request: SandboxRequest) -> dict[str, list[dict[str, str]] | None]:
    """``NetworkSettings.Ports``: dockerd shows none of a container without a bridge."""
    return shown(one.bindings, request.exposed) if any(end.bridged for end in one.endpoints.values()) else {}


def check_config(network: NetworkRecord, config: Json) -> None:
    """What only a network of the user's own can give.

    Raises:
        Invalid: it was asked of another.
        Denied: the network is a configuration, or gives its containers no MAC.
    """
    if network.config_only:
        raise Denied("cannot create endpoint on configuration-only network")
    # Again here: the container's own MAC is among them now.
    check_options(config)
    if network.driver == "ipvlan" and config.get("MacAddress"):
        raise System("ipvlan interfaces do not support custom mac address assignment")
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
