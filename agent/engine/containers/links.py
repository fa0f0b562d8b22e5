"""Legacy links (``--link OTHER:ALIAS``) on the default network: what a container sees of another one by an alias.

The hosts file gets the other's address (``networks/linked.py``), the environment its ports and variables. On a network
of the user's own a link is an alias for the resolver, and none of this happens.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from agent.engine.errors import Invalid, System
from agent.engine.networks.host import read_mode
from agent.engine.state.records import ContainerRecord, Link

NETWORK = "bridge"
SPAN = 3
"""So many ports in a row are told as a range too."""
_HOST = "conflicting options: host type networking can't be used with links. This would result in undefined behavior"
# Set by builds rather than by the image's author.
_NOT_TOLD = frozenset({"HOME", "PATH"})


def parse(text: str) -> tuple[str, str]:
    """``NAME[:ALIAS]`` as (name, alias). What an inspection shows, ``/NAME:/PARENT/ALIAS``, is taken back.

    Raises:
        Invalid: in dockerd's words.
    """
    if not text:
        raise Invalid("empty string specified for links")
    name, colon, alias = text.partition(":")
    if ":" in alias:
        raise Invalid(f"bad format for links: {text}")
    if name.startswith("/"):
        alias = alias.rpartition("/")[2]
        name = name[1:]
    return name, alias if colon else name


def made(wanted: Sequence[str] | None, mode: str, find: Callable[[str], ContainerRecord]) -> tuple[Link, ...]:
    """The links of a new container.

    Args:
        wanted: ``HostConfig.Links``.
        mode: the network mode: a network of the user's own has no such links.
        find: a container by what the client wrote; raises Invalid.

    Raises:
        Invalid: malformed, no such container, or one on the host's network.
    """
    if mode not in {"", "default", NETWORK, "none"}:
        return ()
    found: dict[str, Link] = {}
    for text in wanted or ():
        name, alias = parse(text)
        try:
            other = find(name)
            while (of := read_mode(other.network_mode)).kind == "container":
                other = find(of.target)
        except Invalid as error:
            raise Invalid(f"could not get container for {name}: {error}") from error
        if read_mode(other.network_mode).kind == "host":
            raise Invalid(_HOST)
        if alias in found and found[alias].target != other.id:
            raise Invalid(f"Conflict. The link name {alias} is already in use by container {found[alias].target}")
        found[alias] = Link(other.id, other.name, alias)
    return tuple(found.values())


def shown(record: ContainerRecord, find: Callable[[str], ContainerRecord | None]) -> list[str] | None:
    """``HostConfig.Links`` of an inspection: with the names of now."""
    return [f"/{_name(link, find)}:/{record.name}/{link.alias}" for link in record.links] or None


def names(record: ContainerRecord, others: Iterable[ContainerRecord]) -> Iterator[str]:
    """By which names other containers know this one: ``/PARENT/ALIAS``."""
    for other in others:
        for link in other.links:
            if link.target == record.id:
                yield f"/{other.name}/{link.alias}"


def environment(record: ContainerRecord, find: Callable[[str], ContainerRecord | None]) -> list[str]:
    """What a container that is about to run is told of those that it is linked to.

    Raises:
        System: one of them does not run, or is not on the default network.
    """
    found: list[str] = []
    for link in record.links:
        other = find(link.target)
        path = f"/{record.name}/{link.alias}"
        if other is None or not other.state.alive:
            raise System(f"Cannot link to a non running container: /{_name(link, find)} AS {path}")
        address = (other.network.endpoints.get(NETWORK) or {}).get("IPAddress")
        if NETWORK not in record.network.endpoints and read_mode(record.network_mode).kind != "bridge":
            continue
        if not address:
            raise System(f"Cannot link to /{other.name}, as it does not belong to the default network")
        found += _told(path, address, other.config)
    return found


def _told(path: str, address: str, config: Mapping[str, Any]) -> Iterator[str]:
    prefix = path.rpartition("/")[2].upper().replace("-", "_")
    ports = sorted(_ports(config.get("ExposedPorts") or ()), key=lambda port: (port[1], port[0]))
    for number, (protocol, port) in enumerate(ports):
        if not number:
            yield f"{prefix}_PORT={protocol}://{address}:{port}"
        name = f"{prefix}_PORT_{port}_{protocol.upper()}"
        yield f"{name}={protocol}://{address}:{port}"
        yield f"{name}_ADDR={address}"
        yield f"{name}_PORT={port}"
        yield f"{name}_PROTO={protocol}"
    for protocol, run in _runs(ports):
        first, last = run[0], run[-1]
        if len(run) >= SPAN:
            name = f"{prefix}_PORT_{first}_{protocol.upper()}"
            yield f"{name}_START={protocol}://{address}:{first}"
            yield f"{name}_PORT_START={first}"
            yield f"{name}_END={protocol}://{address}:{last}"
            yield f"{name}_PORT_END={last}"
    yield f"{prefix}_NAME={path}"
    for variable in config.get("Env") or ():
        name, equals, value = variable.partition("=")
        if equals and name not in _NOT_TOLD:
            yield f"{prefix}_ENV_{name}={value}"


def _ports(exposed: Iterable[str]) -> Iterator[tuple[str, int]]:
    for key in exposed:
        number, _, protocol = key.partition("/")
        first, _, last = number.partition("-")
        yield from ((protocol or "tcp", port) for port in range(int(first), int(last or first) + 1))


def _runs(ports: Sequence[tuple[str, int]]) -> Iterator[tuple[str, list[int]]]:
    """Ports that follow each other, by protocol."""
    ordered = sorted(ports)
    for _, group in groupby(enumerate(ordered), key=lambda item: (item[1][0], item[1][1] - item[0])):
        run = [port for _, port in group]
        yield run[0][0], [number for _, number in run]


def _name(link: Link, find: Callable[[str], ContainerRecord | None]) -> str:
    other = find(link.target)
    return other.name if other is not None else link.name
