"""The cache by content: a step that was made before, on the same image, is not made again.

As dockerd's: an image remembers the step that made it in its ``container_config``, whose ``Cmd`` is the instruction as
expanded, for COPY and ADD with the digest of what was copied, for RUN with the arguments that it saw. A hit is a child
of the image that the build stands on with an equal step; there is no other state.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from agent.engine.build.config import Json
from agent.engine.errors import EngineError
from agent.engine.images.store import Image

COMPARED = (
    "Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild", "Shell", "StopSignal", "User",
    "Volumes", "WorkingDir",
)  # fmt: skip

Rows = list[Image]


class Images(Protocol):
    """Where former steps are."""

    def children(self, image_id: str) -> Rows: ...
    def list(self) -> Rows: ...
    def resolve(self, ref: str) -> Image: ...


class Cache:
    """The cache of one stage: after the first miss nothing is looked up any more."""

    def __init__(self, images: Images, *, off: bool, sources: frozenset[str] | None = None) -> None:
        """``sources``: ids that alone may be a hit; None: any."""
        self._images = images
        self._off = off
        self._sources = sources

    def find(self, parent: Image | None, step: Json) -> Image | None:
        """The image that this step made on this parent before; the newest of several."""
        if self._off:
            return None
        candidates = self._images.children(parent.id) if parent else self._first_steps()
        if self._sources is not None:
            candidates = [image for image in candidates if image.id in self._sources]
        hits = [image for image in candidates if _same(image.config.get("container_config") or {}, step)]
        if not hits:
            self._off = True
            return None
        return max(hits, key=lambda image: image.created)

    def _first_steps(self) -> list[Image]:
        """Images of a single step on scratch."""
        return [
            image
            for image in self._images.list()
            if not image.parent and len(image.config.get("history") or []) == 1 and len(image.chains) <= 1
        ]


def lineage(images: Images, names: Sequence[str]) -> frozenset[str] | None:
    """Ids of the named images and of all that they stand on; None where none is named. Unknown names are none."""
    if not names:
        return None
    known = {image.id: image for image in images.list()}
    found: set[str] = set()
    for name in names:
        with suppress(EngineError):
            image: Image | None = images.resolve(name)
            while image is not None and image.id not in found:
                found.add(image.id)
                image = known.get(image.parent)
    return frozenset(found)


def _same(one: Json, other: Json) -> bool:
    return all((one.get(key) or None) == (other.get(key) or None) for key in COMPARED)
