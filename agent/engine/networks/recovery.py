"""Networks after the engine was away: from the records of running containers to sockets, rules and addresses."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from pathlib import Path

from agent.engine.errors import EngineError
from agent.engine.kernel import namespaces
from agent.engine.kernel.netlink import Links
from agent.engine.kernel.networkers import Home
from agent.engine.networks import linked, live, sandbox
from agent.engine.networks.host import read_mode
from agent.engine.networks.live import LiveSandbox
from agent.engine.networks.ops import Ops
from agent.engine.networks.parking import Taken
from agent.engine.networks.ports import Bound, PortRequest, parse_port
from agent.engine.networks.requests import SandboxRequest
from agent.engine.state.records import ContainerRecord

log = logging.getLogger(__name__)


async def recover(ops: Ops, running: Sequence[ContainerRecord], held: Taken) -> None:
    """Take every running container's place back into memory; remove what belongs to none.

    A container whose resolver or port cannot be had again is logged and keeps running.

    Args:
        held: what the stand-in kept; the rest is made anew.
    """
    adopted = [record for record in running if read_mode(record.network_mode).kind != "container"]
    await asyncio.gather(*(_adopt(ops, record) for record in adopted))
    await ops.workers.run(lambda home: linked.open_ports(ops, home, adopted))
    needed = {end.network_id for one in ops.live.values() for end in one.endpoints.values()}
    networks = [ops.catalogue.find(one) for one in sorted(needed)]
    if not any(network.driver == "bridge" for network in networks):
        await ops.workers.run(ops.rules.clear)
    for network in networks:
        await ops.ensure_link(network)
    await asyncio.gather(*(_serve(ops, ops.live[record.id], record, held) for record in adopted))
    for kept, resolver in held.values():
        for one in (*(binding.socket for binding in kept.bindings), *resolver):
            if one is not None:
                one.close()
    await ops.workers.run(lambda _: _sweep(ops))


async def _adopt(ops: Ops, record: ContainerRecord) -> None:
    one = LiveSandbox(record.id, record.name, record.config.get("Hostname") or "", ops.paths.namespace(record.id))
    links = record.network.ifnames or await ops.workers.run(lambda home: _links(home, one.path, record))
    one.endpoints = {end.network: end for end in live.rebuilt(record, ops.catalogue, links)}
    for end in one.endpoints.values():
        ops.catalogue.mark(end)
    ops.live[record.id] = one


def _links(home: Home, path: Path, record: ContainerRecord) -> dict[str, str]:
    """By MAC, for the record of an engine that did not note the names."""
    known = sandbox.names_inside(home, path) if path.exists() else {}
    return {name: known.get(one.get("MacAddress") or "", "") for name, one in record.network.endpoints.items()}


async def _serve(ops: Ops, one: LiveSandbox, record: ContainerRecord, held: Taken) -> None:
    kept, resolver = held.pop(record.id, (None, []))
    bound = {} if kept is None else {(it.request.protocol, it.host_ip, it.host_port): it.socket for it in kept.bindings}
    try:
        await ops.workers.run(lambda home: _publish(ops, home, one, record, bound))
        await one.start_relays(ops.workers)
    except (EngineError, OSError) as error:
        log.error("published ports of %s could not be taken back: %s", record.name, error)
    try:
        await ops.start_resolver(one, record.host_config.get("Dns") or (), fresh=False, held=resolver)
    except (EngineError, OSError) as error:
        log.error("the resolver of %s could not be started again: %s", record.name, error)


def _publish(ops: Ops, home: Home, one: LiveSandbox, record: ContainerRecord, bound: Bound) -> None:
    ops.rules.guard(home, one.endpoints.values())
    for key, bindings in record.network.ports.items():
        number, protocol = parse_port(key)
        for binding in bindings or ():
            port = int(binding["HostPort"])
            request = PortRequest(protocol, number, binding["HostIp"], port, port)
            one.bindings += ops.ports.bind(request, ops.config.default_publish_address, bound=bound)
    one.target = live.target_of(one.endpoints.values(), ops.catalogue)
    wanted = SandboxRequest.of(record).port_requests()
    one.rules = live.all_rules(one.bindings, wanted, one.target)
    ops.rules.publish(home, one.rules)


def _sweep(ops: Ops) -> None:
    """Namespaces and links of containers that do not run, bridges of networks that are no more."""
    for path in ops.paths.namespaces.glob("*"):
        if path.name not in ops.live:
            namespaces.remove_network(path)
    records = ops.catalogue.all()
    ours = set(map(ops.link_of, records)) - {""}
    bridged = {record.bridge for record in records}
    if ours.isdisjoint(name for _, name in socket.if_nameindex()):
        return
    known = {end.veth for one in ops.live.values() for end in one.endpoints.values() if end.bridged}
    with Links() as links:
        found = links.all()
        # A bridge or parent that was there before us has links that are none of our business.
        bridges = {link.index for link in found if link.name in bridged and link.alias == ops.rules.table}
        for link in found:
            orphan = link.kind == "veth" and link.master in bridges and link.name not in known
            if orphan or (link.alias == ops.rules.table and link.name not in ours):
                try:
                    links.delete(link.name)
                except OSError as error:
                    log.error("link %s, which belongs to no container, stays: %s", link.name, error)
