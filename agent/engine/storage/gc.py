"""Remove layers and blobs that nothing needs any more.

What is live is asked again right before each removal, and a removal takes the name away before it first waits: a pull
that takes its lease first, and only then looks what is there, never sees a thing that is about to go.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.engine.storage.content import ContentStore
from agent.engine.storage.layers import Layers
from agent.engine.storage.leases import Leases

# A pull that broke off leaves verified blobs for its next attempt.
_GRACE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Live:
    """Chain ids and digests that images and snapshots need."""

    chains: set[str]
    blobs: set[str]


@dataclass(slots=True)
class Collected:
    """What went: chain ids, topmost first, and bytes."""

    chains: list[str] = field(default_factory=list)
    bytes: int = 0


async def collect(
    content: ContentStore,
    layers: Layers,
    leases: Leases,
    live: Callable[[], Live],
    candidates: Iterable[str] | None = None,
) -> Collected:
    """Remove what is neither live nor leased.

    Args:
        live: what is needed at this moment.
        candidates: chain ids and digests to look at; None: everything, blobs only once they are an hour old.
    """
    gone = Collected()
    wanted = None if candidates is None else _with_all_above(layers, candidates)
    for chain_id in _topmost_first(layers, wanted):
        if chain_id in live().chains or chain_id in leases or layers.is_fresh(chain_id) or layers.carries(chain_id):
            continue
        record = layers.records.find(chain_id)
        if record is None:
            continue
        gone.chains.append(chain_id)
        gone.bytes += record.size
        if wanted is not None:
            wanted |= {blob.digest for blob in record.blobs}
        await layers.remove(chain_id)
    needed = live().blobs
    for digest in list(content.digests()) if wanted is None else sorted(wanted & set(content.digests())):
        if digest in needed or digest in leases or (wanted is None and _young(content, digest)):
            continue
        content.delete(digest)
        await asyncio.sleep(0)
        needed = live().blobs
    return gone


def _topmost_first(layers: Layers, wanted: set[str] | None) -> list[str]:
    """Those of the wanted chains that exist; a layer before what it stands on."""
    found = [record.id for record in layers.records if wanted is None or record.id in wanted]
    return sorted(found, key=layers.depth, reverse=True)


def _with_all_above(layers: Layers, candidates: Iterable[str]) -> set[str]:
    """The candidates, and every layer that stands on one: of a build that broke off nobody names the last."""
    found = set(candidates)
    for record in sorted(layers.records, key=lambda record: layers.depth(record.id)):
        if record.parent in found:
            found.add(record.id)
    return found


def _young(content: ContentStore, digest: str) -> bool:
    try:
        return time.time() - content.path(digest).stat().st_mtime < _GRACE_SECONDS
    except FileNotFoundError:
        return True
