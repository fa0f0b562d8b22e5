"""How each order is carried out over the Docker API, and how a half-done one is recognised.

One row an op. `perform` makes the effect. After a crash of the engine or of the link, `recognise` looks whether the
effect is there already: it answers with the result, or None when the order must be carried out (again). What leaves no
trace that could be recognised ends as `outcome_unknown`: it happens at most once.

    create, network, volume, commit, build   label longshore.order, else the name
    pull, push, tag, update, rename          doing it again changes nothing
    start                                    running, or a StartedAt later than the intent
    restart                                  a StartedAt later than the intent
    stop, pause, unpause, remove             the wanted state
    connect, disconnect                      the wanted state
    kill, prune                              never; at most once
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from agent.link.docker import EngineError
from agent.link.operations import containers, images, networks, volumes
from agent.link.operations.work import OutcomeUnknown, Work
from agent.protocol.orders import OPS

Result = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One row.

    Attributes:
        settle: after a crash, how long an effect that is still under way may take to show (seconds).
        stops: it stops a container first, which may take that container's stop time-out more.
        slow: moves images; such orders share a few places, so that they never hold up a stop.
        grants: may need a secret, which a fetch brings.
    """

    perform: Callable[[Work], Awaitable[Result]]
    recognise: Callable[[Work], Awaitable[Result | None]]
    settle: float = 0.0
    stops: bool = False
    slow: bool = False
    grants: bool = False


async def again(work: Work) -> Result | None:
    """Doing it twice is doing it once."""
    return None


async def at_most_once(work: Work) -> Result | None:
    """Nothing tells whether it happened."""
    raise OutcomeUnknown(f"the agent was interrupted during {work.op}; whether it happened cannot be told")


async def refresh(work: Work) -> Result:
    """Ask the reporter for a whole inventory."""
    work.refresh()
    return {}


async def prune_system(work: Work) -> Result:
    """Prune kinds in the order in which they let go of each other."""
    prunes = {
        "containers": containers.prune,
        "networks": networks.prune,
        "images": images.prune,
        "volumes": volumes.prune,
    }
    kinds = [str(kind) for kind in work.args["kinds"]]
    if unknown := sorted(set(kinds) - prunes.keys()):
        raise EngineError(400, f"cannot prune {', '.join(unknown)}")
    return {
        kind: await prune(_without_until(work) if kind == "volumes" else work)
        for kind, prune in prunes.items()
        if kind in kinds
    }


def _without_until(work: Work) -> Work:
    """Volumes have no age by which they could be chosen: an engine refuses `until`."""
    filters = {name: value for name, value in (work.args.get("filters") or {}).items() if name != "until"}
    return replace(work, args={**work.args, "filters": filters})


OPERATIONS: Final[Mapping[str, Operation]] = {
    "container.create": Operation(containers.create, containers.was_created, settle=2.0, slow=True, grants=True),
    "container.start": Operation(containers.start, containers.was_started, settle=1.0),
    "container.stop": Operation(containers.stop, containers.is_stopped),
    "container.restart": Operation(containers.restart, containers.was_restarted, settle=6.0, stops=True),
    "container.kill": Operation(containers.kill, at_most_once),
    "container.pause": Operation(containers.pause, containers.is_paused),
    "container.unpause": Operation(containers.unpause, containers.is_unpaused),
    "container.rename": Operation(containers.rename, containers.is_renamed),
    "container.update": Operation(containers.update, again),
    "container.remove": Operation(containers.remove, containers.is_removed),
    "container.commit": Operation(images.commit, images.was_made, settle=10.0, slow=True),
    "image.pull": Operation(images.pull, again, slow=True, grants=True),
    "image.build": Operation(images.build, images.was_made, slow=True, grants=True),
    "image.tag": Operation(images.tag, again),
    "image.push": Operation(images.push, again, slow=True, grants=True),
    "image.remove": Operation(images.remove, images.is_removed),
    "image.prune": Operation(images.prune, at_most_once),
    "volume.create": Operation(volumes.create, volumes.was_created),
    "volume.remove": Operation(volumes.remove, volumes.is_removed),
    "volume.prune": Operation(volumes.prune, at_most_once),
    "network.create": Operation(networks.create, networks.was_created, settle=2.0),
    "network.remove": Operation(networks.remove, networks.is_removed),
    "network.connect": Operation(networks.connect, networks.is_connected),
    "network.disconnect": Operation(networks.disconnect, networks.is_disconnected),
    "network.prune": Operation(networks.prune, at_most_once),
    "host.refresh": Operation(refresh, again),
    "system.prune": Operation(prune_system, at_most_once),
}
assert OPERATIONS.keys() == OPS.keys()
