"""What a container's resolver knows: containers of its own user-defined networks, and no others."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from agent.engine.networks.definition import DRIVERS, PREDEFINED
from agent.engine.networks.dns import Address, Names
from agent.engine.networks.endpoint import Endpoint
from agent.engine.networks.live import LiveSandbox
from agent.engine.networks.resolver import Resolver


def has_names(end: Endpoint) -> bool:
    """Its network resolves names; the default bridge does not, as with Docker."""
    return end.driver in DRIVERS and end.network not in PREDEFINED


def needs_resolver(one: LiveSandbox) -> bool:
    """It is on a network that resolves names."""
    return any(has_names(end) for end in one.endpoints.values())


def names_of(one: LiveSandbox, others: Iterable[LiveSandbox], name_of: Callable[[str], str]) -> Names:
    """Names, aliases, hostnames and short ids of the containers that share a network with this one.

    Links of an endpoint are names of its own for others: nobody else resolves them.
    """
    forward: dict[str, list[Address]] = {}
    backward: dict[Address, str] = {}
    mine = {end.network_id for end in one.endpoints.values() if has_names(end)}
    for other in others:
        for end in other.endpoints.values():
            if end.network_id not in mine or not has_names(end):
                continue
            name = name_of(other.container_id)
            addresses = [assigned.address for assigned in end.addresses]
            for label in dict.fromkeys((name, *end.aliases, other.hostname)):
                if label:
                    for full in (label.lower(), f"{label}.{end.network}".lower()):
                        forward.setdefault(full, []).extend(addresses)
            backward |= dict.fromkeys(addresses, f"{name}.{end.network}")
            for alias in _links(one, end.network_id, (name, other.container_id)):
                for full in (alias, f"{alias}.{end.network}".lower()):
                    forward.setdefault(full, []).extend(addresses)
    return Names(forward, backward)


def _links(one: LiveSandbox, network_id: str, target: tuple[str, str]) -> Iterator[str]:
    """Names of its own (``docker network connect --link NAME:ALIAS``) that a container gave another on a network."""
    name, container_id = target
    for end in one.endpoints.values():
        for text in (end.config.get("Links") or ()) if end.network_id == network_id else ():
            known, _, alias = str(text).lstrip("/").partition(":")
            if known == name or (known and container_id.startswith(known)):
                yield (alias or known).lower()


class Directory:
    """``names_of`` for one sandbox, remembered: a query must not cost a walk over all containers.

    Made anew when a container has come, gone or changed networks (``generation``), and after a second, for renames.
    """

    def __init__(self, make: Callable[[], Names], generation: Callable[[], int]) -> None:
        self._make = make
        self._generation = generation
        self._made = (-1, 0.0)
        self._names = Names({}, {})

    def __call__(self) -> Names:
        """The names now."""
        generation, now = self._generation(), time.monotonic()
        if generation != self._made[0] or now - self._made[1] > 1:
            self._names = self._make()
            self._made = (generation, now)
        return self._names


def resolver_of(
    one: LiveSandbox,
    live: Mapping[str, LiveSandbox],
    name_of: Callable[[str], str],
    generation: Callable[[], int],
) -> Resolver:
    """A sandbox's resolver, which does not serve yet.

    Args:
        live: all sandboxes.
        name_of: the name of a container by its id.
        generation: see ``Directory``.
    """
    names = Directory(lambda: names_of(one, live.values(), name_of), generation)

    def upstream() -> Sequence[str]:
        # A container of internal networks alone must not carry data out by asking for names. Servers of its own it asks
        # from where it is, so that it reaches no others than by itself.
        shut = all(end.internal for end in one.endpoints.values())
        return () if shut and not one.dns else one.servers

    return Resolver(names, upstream, inside=bool(one.dns))
