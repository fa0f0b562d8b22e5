"""The orders that a host understands: op, the names its args may hold, and how they are queued.

One table for both ends. The control plane checks args against it before it stores an order, the agent before it
carries one out. Args hold no secret; what an order needs of those comes as `grants` beside the envelope.

Common args: `id` is the control plane's UUID of the object (label `longshore.id` on what was made by an order),
`engine_id` the engine's own id or name where it is known. An order for an object made elsewhere has `engine_id` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

ID_LABEL: Final = "longshore.id"
ORDER_LABEL: Final = "longshore.order"
LABEL_PREFIX: Final = "longshore."

# Shortest and longest life that a control plane gives an order, by what it does (seconds).
QUARTER: Final = 15 * 60
HOUR: Final = 60 * 60
DAY: Final = 24 * HOUR


@dataclass(frozen=True)
class Op:
    """One verb on one noun.

    Attributes:
        required: args that must be there.
        optional: args that may be there; any other name is refused.
        lane: args that name the object; orders with the same lane run one after the other.
        lasts: seconds until an order of this kind expires unless the caller says otherwise.
    """

    required: frozenset[str]
    optional: frozenset[str]
    lane: tuple[str, ...]
    lasts: int


def _op(required: str, optional: str, lane: str, lasts: int) -> Op:
    return Op(frozenset(required.split()), frozenset(optional.split()), tuple(lane.split()), lasts)


OPS: Final[Mapping[str, Op]] = {
    # spec is the body of Docker's ContainerCreate in Docker's names; pull is missing, always or never
    "container.create": _op("id image spec", "name pull platform start", "id", DAY),
    "container.start": _op("", "id engine_id", "id engine_id", QUARTER),
    "container.stop": _op("", "id engine_id timeout signal", "id engine_id", QUARTER),
    "container.restart": _op("", "id engine_id timeout signal", "id engine_id", QUARTER),
    "container.kill": _op("", "id engine_id signal", "id engine_id", QUARTER),
    "container.pause": _op("", "id engine_id", "id engine_id", QUARTER),
    "container.unpause": _op("", "id engine_id", "id engine_id", QUARTER),
    "container.rename": _op("name", "id engine_id", "id engine_id", QUARTER),
    # update is the body of Docker's ContainerUpdate
    "container.update": _op("update", "id engine_id", "id engine_id", QUARTER),
    "container.remove": _op("", "id engine_id force volumes", "id engine_id", HOUR),
    "container.commit": _op("reference", "id engine_id author comment pause changes", "id engine_id", DAY),
    "image.pull": _op("reference", "platform", "reference", DAY),
    # context is the SHA-256 of the uploaded archive; query the query of Docker's ImageBuild; bases the references for
    # which the control plane grants a token
    "image.build": _op("context", "query tags bases", "tags", DAY),
    "image.tag": _op("image reference", "", "reference", HOUR),
    "image.push": _op("reference", "", "reference", DAY),
    "image.remove": _op("image", "force", "image", HOUR),
    "image.prune": _op("", "filters", "", HOUR),
    "volume.create": _op("name", "id driver driver_opts labels", "name", DAY),
    "volume.remove": _op("name", "id force", "name", HOUR),
    "volume.prune": _op("", "filters", "", HOUR),
    # network is the body of Docker's NetworkCreate without Name
    "network.create": _op("name", "id network", "name", DAY),
    "network.remove": _op("", "id engine_id name", "id engine_id name", HOUR),
    "network.connect": _op("network container", "config", "container", QUARTER),
    "network.disconnect": _op("network container", "force", "container", QUARTER),
    "network.prune": _op("", "filters", "", HOUR),
    "host.refresh": _op("", "", "", QUARTER),
    "system.prune": _op("kinds", "filters", "", HOUR),
}


class BadOrder(ValueError):
    """The order names an op that does not exist, or args that the op does not take."""


def check_args(op: str, args: Mapping[str, Any]) -> None:
    """Refuse an order whose op or args are not in the table.

    Raises:
        BadOrder: with the offending name in its words.
    """
    entry = OPS.get(op)
    if entry is None:
        raise BadOrder(f"unknown op {op!r}")
    missing = sorted(entry.required - args.keys())
    if missing:
        raise BadOrder(f"{op} needs {', '.join(missing)}")
    unknown = sorted(args.keys() - entry.required - entry.optional)
    if unknown:
        raise BadOrder(f"{op} does not take {', '.join(unknown)}")
    if "engine_id" in entry.optional and not any(args.get(name) for name in entry.lane):
        raise BadOrder(f"{op} needs {' or '.join(entry.lane)}")


def lane_of(op: str, args: Mapping[str, Any]) -> str:
    """The queue on the host in which an order waits for the ones before it.

    A container's own id is preferred over the engine's, because a create and the start that follows it know only the
    first. Orders that name no object share one lane a kind.
    """
    entry = OPS[op]
    noun = op.partition(".")[0]
    for name in entry.lane:
        value = args.get(name)
        if isinstance(value, Mapping):
            value = value.get("id") or value.get("engine_id")
        if isinstance(value, list | tuple):
            value = value[0] if value else None
        if value:
            return f"{'container' if name == 'container' else noun}:{value}"
    return f"{noun}:"


def default_lifetime(op: str) -> int:
    """Seconds until an order of this kind expires by itself."""
    return OPS[op].lasts
