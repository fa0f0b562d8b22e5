"""Legacy links in the hosts file: another container's address under an alias, kept up when that starts again."""

from collections.abc import Iterable, Iterator

from agent.engine.networks.hostfiles import HostFiles
from agent.engine.networks.ops import Ops, read
from agent.engine.state.records import ContainerRecord

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


def refresh(ops: Ops, records: Iterable[ContainerRecord]) -> None:
    """Write the addresses of now into the hosts files of containers with links. Blocks."""
    for record in records:
        files = HostFiles(ops.paths.container(record.id))
        fresh = {names.split(" ")[0]: f"{address}\t{names}" for address, names in lines(ops, record)}
        kept = [_line(line, fresh) for line in read(files.hosts).splitlines()]
        files.write(hosts="".join(f"{line}\n" for line in (*kept, *fresh.values())))


def _line(line: str, fresh: dict[str, str]) -> str:
    """The line, or what takes its place; each new one takes one place."""
    return fresh.pop(line.partition("\t")[2].split(" ")[0], line)
