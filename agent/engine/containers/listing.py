"""Which containers a list shows: filters as dockerd reads them. Pure.

Values of one key are alternatives, but labels must all be there; different keys must all hold. An unknown value is an
error, never "everything": clients remove what a filter gave them. Docker Engine API: ContainerList.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agent.engine.errors import Invalid
from agent.engine.state.records import ContainerRecord, Status

FILTERS = frozenset(
    {
        "ancestor", "before", "exited", "expose", "health", "id", "isolation", "is-task", "label", "name", "network",
        "publish", "since", "status", "volume",
    }
)  # fmt: skip
_BOOLEANS = frozenset({"0", "1", "false", "true"})
_HEALTH = frozenset({"starting", "healthy", "unhealthy", "none"})
_STATUSES = frozenset(str(status) for status in Status)


@dataclass(frozen=True, slots=True)
class Context:
    """What the filters ask of others."""

    find: Callable[[str], ContainerRecord]
    """A container by any of its names; raises NotFound."""
    image_ids: Callable[[str], set[str]]
    """Ids of an image and of those built on it; empty for an unknown name."""
    network_id: Callable[[str], str]
    """A network's id by its name or id; the given text where there is none."""


def matches(pattern: str, text: str) -> bool:
    """Docker's match of names and ids: equal, or the pattern is found in the text."""
    if pattern == text:
        return True
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def has_labels(labels: dict[str, str], wanted: Iterable[str]) -> bool:
    """Every ``key`` or ``key=value`` is there."""
    for entry in wanted:
        key, equals, value = entry.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def port_keys(text: str) -> set[str]:
    """``80``, ``80/udp`` or ``80-90/tcp`` as keys of a port map.

    Raises:
        Invalid: it is no port.
    """
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        raise Invalid(f"invalid port: {text}")
    return {f"{number}/{protocol or 'tcp'}" for number in range(int(first), int(last or first) + 1)}


def _published(record: ContainerRecord) -> set[str]:
    found = set()
    for key, bindings in record.network.ports.items() if record.state.alive else ():
        protocol = key.partition("/")[2]
        found |= {f"{binding.get('HostPort')}/{protocol}" for binding in bindings or ()}
    return found


def _exposed(record: ContainerRecord) -> set[str]:
    return set(record.network.ports) if record.state.alive else set()


def _volumes(record: ContainerRecord) -> set[str]:
    return {
        text.rstrip("/") for mount in record.mounts for text in (mount.name, mount.source, mount.destination) if text
    }


def _health(record: ContainerRecord) -> str:
    return record.state.health.status if record.state.health else "none"


def _networks(record: ContainerRecord) -> set[str]:
    names = set(record.network.endpoints) or set(record.endpoints_config)
    ids = {settings.get("NetworkID", "") for settings in record.network.endpoints.values()}
    if not names and not record.unplugged:
        names = {record.network_mode}
    return names | ids


class Selection:
    """Filters, read once.

    Raises:
        Invalid: a value that the filter's key does not know.
        NotFound: ``before`` or ``since`` name no container.
    """

    def __init__(self, filters: dict[str, list[str]], context: Context) -> None:
        self._filters = filters
        for key, known in (("status", _STATUSES), ("health", _HEALTH)):
            for value in filters.get(key, ()):
                if value not in known:
                    raise Invalid(f"Invalid filter '{key}={value}'")
        try:
            self._exited = {int(value) for value in filters.get("exited", ())}
        except ValueError as error:
            raise Invalid(f"Invalid filter 'exited={filters['exited'][0]}'") from error
        if filters.get("is-task") and not set(filters["is-task"]) <= _BOOLEANS:
            raise Invalid(f"Invalid filter 'is-task=[{' '.join(filters['is-task'])}]'")
        self._before = [context.find(ref) for ref in filters.get("before", ())]
        self._since = [context.find(ref) for ref in filters.get("since", ())]
        self._images = {id_ for ref in filters.get("ancestor", ()) for id_ in context.image_ids(ref)}
        self._wanted_networks = {context.network_id(ref) for ref in filters.get("network", ())} | set(
            filters.get("network", ())
        )
        self._publish = {key for text in filters.get("publish", ()) for key in port_keys(text)}
        self._expose = {key for text in filters.get("expose", ()) for key in port_keys(text)}

    @property
    def implies_all(self) -> bool:
        """The filters speak of states, so stopped containers are looked at too."""
        return "status" in self._filters

    def holds(self, record: ContainerRecord) -> bool:
        """The container passes every filter."""
        wanted = self._filters
        checks: Sequence[tuple[str, Callable[[], bool]]] = (
            ("id", lambda: any(matches(value, record.id) for value in wanted["id"])),
            ("name", lambda: any(self._named(value, record.name) for value in wanted["name"])),
            ("label", lambda: has_labels(record.labels, wanted["label"])),
            ("status", lambda: str(record.state.status) in wanted["status"]),
            ("health", lambda: _health(record) in wanted["health"]),
            ("exited", lambda: self._has_exited(record)),
            ("before", lambda: all(record.created_ns < other.created_ns for other in self._before)),
            ("since", lambda: all(record.created_ns > other.created_ns for other in self._since)),
            ("ancestor", lambda: record.image_id in self._images),
            ("network", lambda: bool(self._wanted_networks & _networks(record))),
            ("volume", lambda: bool({value.rstrip("/") for value in wanted["volume"]} & _volumes(record))),
            ("publish", lambda: bool(self._publish & _published(record))),
            ("expose", lambda: bool(self._expose & _exposed(record))),
            ("is-task", lambda: any(value in {"false", "0"} for value in wanted["is-task"])),
        )
        return all(check() for key, check in checks if wanted.get(key))

    @staticmethod
    def _named(pattern: str, name: str) -> bool:
        return matches(pattern.removeprefix("/"), name) or matches(pattern, f"/{name}")

    def _has_exited(self, record: ContainerRecord) -> bool:
        return bool(record.state.started_ns) and not record.state.running and record.state.exit_code in self._exited


def select(
    records: Iterable[ContainerRecord], selection: Selection, *, everything: bool, limit: int
) -> list[ContainerRecord]:
    """The containers to show, newest first.

    Args:
        records: all of them.
        selection: the filters.
        everything: stopped ones too.
        limit: at most so many, stopped ones too; 0 for no limit.
    """
    everything = everything or limit > 0 or selection.implies_all
    newest = sorted((r for r in records if not r.managed), key=lambda record: record.created_ns, reverse=True)
    found = [record for record in newest if (everything or record.state.running) and selection.holds(record)]
    return found[:limit] if limit > 0 else found
