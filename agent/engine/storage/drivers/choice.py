"""Which driver a data root has: chosen once, recorded in it, and never changed, for its layers are that driver's."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import Invalid
from agent.engine.kernel import files, mounts
from agent.engine.storage.drivers import fuse, overlay2
from agent.engine.storage.drivers.base import Driver
from agent.engine.storage.drivers.fuse import FuseOverlay, Place
from agent.engine.storage.drivers.overlay2 import Overlay2
from agent.engine.storage.drivers.vfs import Vfs

RECORD = "storage-driver"
"""File in the data root."""
_OBSTACLES: dict[str, Callable[[Path], str]] = {
    Overlay2.name: overlay2.obstacle,
    FuseOverlay.name: fuse.obstacle,
    Vfs.name: lambda _: "",
}
NAMES = tuple(_OBSTACLES)
"""The best first."""
CURES = {
    FuseOverlay.name: "for the kernel's overlayfs choose a data root on ext4, xfs or btrfs",
    Vfs.name: f"apt install {fuse.PROGRAM} and let /dev/fuse be there, or choose a data root on ext4, xfs or btrfs",
}
"""How to get a better one."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """A driver, and why it is that."""

    name: str
    reason: str


def recorded(root: Path) -> str:
    """The driver that a data root was made by; empty: it is new."""
    try:
        return (root / RECORD).read_text().strip()
    except FileNotFoundError:
        # There was but one before drivers were recorded.
        return Overlay2.name if (root / "engine.db").exists() else ""


def possible(folder: Path) -> Choice:
    """The best driver for a folder. Tries them there; blocking."""
    refused: list[str] = []
    for name, obstacle in _OBSTACLES.items():
        why = obstacle(folder)
        if not why:
            return Choice(name, "; ".join(refused) or "it works here")
        refused.append(why)
    raise AssertionError("vfs works everywhere")


def chosen(root: Path, wanted: str = "") -> str:
    """The driver of a data root; a new one gets what is wanted, else the best. Blocking.

    Raises:
        Invalid: it was made by another driver, or that cannot be here.
    """
    has = recorded(root)
    if has:
        if has not in NAMES:
            raise Invalid(f"the data root {root} was made by the storage driver {has!r}, which this engine has not")
        if wanted not in {"", has}:
            raise Invalid(
                f"the data root {root} was made by the storage driver {has}: give --storage-driver {has}, or another"
                f" --root for {wanted}; images and containers are not taken over"
            )
        _check(root, has)
    elif wanted:
        if why := _OBSTACLES[wanted](root):
            raise Invalid(f"the storage driver {wanted} cannot be used for {root}: {why}")
        log.info("storage driver of %s: %s, as asked for", root, wanted)
    else:
        choice = possible(root)
        has = choice.name
        level = logging.INFO if has == NAMES[0] else logging.WARNING
        cure = f"; {CURES[has]}" if has in CURES else ""
        log.log(level, "storage driver of %s: %s, for %s%s", root, has, choice.reason, cure)
    if not (root / RECORD).exists():
        files.write_durably(root / RECORD, f"{has or wanted}\n".encode())
    return has or wanted


def _check(root: Path, name: str) -> None:
    """What is cheap to look at: at each start nothing is mounted to try it."""
    if name == Overlay2.name and mounts.filesystem_of(root) == "overlay":
        why = "it lies on overlayfs now, which cannot hold such layers"
    elif name == FuseOverlay.name:
        why = fuse.missing()
    else:
        return
    if why:
        raise Invalid(f"the data root {root} was made by the storage driver {name}: {why}")


def opened(name: str, layers: Path, place: Place) -> Driver:
    """The driver of a data root at work.

    Args:
        name: of ``chosen``.
        layers: the folder of layers, which is there.
        place: for processes that outlive the engine.
    """
    if name == FuseOverlay.name:
        return FuseOverlay(layers, place)
    return Vfs(layers) if name == Vfs.name else Overlay2(layers)
