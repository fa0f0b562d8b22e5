"""Legacy links on the default network: in the hosts file another container's address under an alias, kept up when that
starts again; and where the network's containers may not talk to each other, that one's exposed ports (``openings.py``).
"""

import logging
from collections.abc import Iterable, Iterator

from agent.engine.kernel import rtnetlink
from agent.engine.kernel.networkers import Home
from agent.engine.networks import bridge
from agent.engine.networks.hostfiles import HostFiles
from agent.engine.networks.openings import Opening
from agent.engine.networks.ops import Ops, read
from agent.engine.state.records import ContainerRecord

log = logging.getLogger(__name__)

NETWORK = "bridge"


def lines(ops: Ops, record: ContainerRecord) -> Iterator[tuple[str, str]]:
    """(address, names) of those that a container is linked to and that run."""
    for link in record.links:
        other, one = ops.containers.find(link.target), ops.live.get(link.target)
        if other is None or one is None or NETWORK not in one.endpoints:
            continue
        hostname = other.config.get("Hostname") or ""
        names = " ".join(dict.fromkeys(filter(None, (link.alias, hostname, other.name))))
        yield from ((str(assigned.address), names) for assigned in one.endpoints[NETWORK].addresses)


def parents(ops: Ops, container_id: str) -> list[ContainerRecord]:
    """Running containers that are linked to this one."""
    return [
        record
        for record in ops.containers
        if record.links and record.id in ops.live and any(link.target == container_id for link in record.links)
    ]


def openings(ops: Ops, record: ContainerRecord) -> Iterator[Opening]:
    """What its links open: exposed ports of those that run, by every address that both have."""
    own = ops.live[record.id].endpoints[NETWORK]
    for link in record.links:
        other, one = ops.containers.find(link.target), ops.live.get(link.target)
        end = one.endpoints.get(NETWORK) if one is not None else None
        if other is None or end is None:
            continue
        for ours in own.addresses:
            for theirs in end.addresses:
                if ours.address.version == theirs.address.version:
                    for protocol, port in _ports(other.config.get("ExposedPorts") or ()):
                        yield Opening(str(ours.address), str(theirs.address), end.veth, protocol, port)


def open_ports(ops: Ops, home: Home, records: Iterable[ContainerRecord]) -> None:
    """Let running containers with links talk to those, in a worker, where the default network does not anyway."""
    for record in records:
        one = ops.live.get(record.id)
        end = one.endpoints.get(NETWORK) if one is not None else None
        if not record.links or end is None or bridge.read(ops.catalogue.find(end.network_id)).icc:
            continue
        if ops.rules.open(home, end.veth, list(openings(ops, record))):
            try:
                port = home.rtnetlink.index_of(end.veth)
                home.rtnetlink.talk(rtnetlink.bridge_port(port, hairpin=True, isolated=False))
            except OSError as error:
                log.error("%s cannot reach those that it is linked to: %s", record.name, error)


def refresh(ops: Ops, records: Iterable[ContainerRecord]) -> None:
    """Write the addresses of now into the hosts files of containers with links. Blocks."""
    for record in records:
        files = HostFiles(ops.paths.container(record.id))
        fresh = {names.split(" ")[0]: f"{address}\t{names}" for address, names in lines(ops, record)}
        kept = [_line(line, fresh) for line in read(files.hosts).splitlines()]
        files.write(hosts="".join(f"{line}\n" for line in (*kept, *fresh.values())))


def _ports(exposed: Iterable[str]) -> Iterator[tuple[str, int]]:
    for key in exposed:
        number, _, protocol = key.partition("/")
        first, _, last = number.partition("-")
        yield from ((protocol or "tcp", port) for port in range(int(first), int(last or first) + 1))


def _line(line: str, fresh: dict[str, str]) -> str:
    """The line, or what takes its place; each new one takes one place."""
    return fresh.pop(line.partition("\t")[2].split(" ")[0], line)
