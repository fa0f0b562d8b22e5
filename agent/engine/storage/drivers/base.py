"""What a storage driver does for the writable layers; ``storage/snapshots.py`` does the rest.

A driver's folder for one of them is ``SNAPSHOTS/<key>``. Layers are named by their folders within the folder of layers,
topmost first.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from agent.engine.storage.changes import Change
from agent.engine.storage.marks import Marks

Scratch = Callable[[], Path]
"""Gives a fresh folder that may become a layer."""


class Driver(Protocol):
    """One way. What is not ``async`` blocks, but for the properties, ``seen`` and ``graph``."""

    @property
    def name(self) -> str:
        """As ``docker info`` says it."""

    @property
    def marks(self) -> Marks:
        """What the layers hold of removed names."""

    @property
    def mappable(self) -> bool:
        """It can show file systems with other ids, once ``map`` was called."""

    @property
    def limits(self) -> bool:
        """A writable layer can have a limit to its size, where the disk has quotas."""

    def make(self, path: Path, lowers: Sequence[str]) -> None:
        """Make what a new writable layer needs. Doing it again is fine."""

    def seen(self, path: Path) -> Path:
        """Where the whole file system is seen while mounted."""

    def graph(self, path: Path) -> dict[str, str] | None:
        """Docker's ``GraphDriver.Data`` of a container."""

    def mounted(self, target: Path) -> bool:
        """A file system is seen there. Quick; what a dead process has left is taken away."""

    async def mount(
        self, path: Path, lowers: Sequence[str], target: Path | None, *, volatile: bool, mapped: bool
    ) -> None:
        """Show the file system at ``target``; None: at ``seen``."""

    def unmount(self, target: Path) -> None:
        """Take it away from there; nothing there is fine."""

    def map(self, root: Path, owner: tuple[int, int]) -> None:
        """A view of the data root with other ids, and who root is there."""

    def changes(self, path: Path, lowers: Sequence[str]) -> list[Change]:
        """Paths added, modified or removed."""

    def clean(self, path: Path, lowers: Sequence[str]) -> bool:
        """Nothing was written."""

    def usage(self, path: Path, lowers: Sequence[str]) -> int:
        """Bytes written."""

    def layer(self, path: Path, lowers: Sequence[str], scratch: Scratch, *, move: bool) -> Path:
        """A folder that holds what was written, as a layer does.

        Args:
            path: the writable layer's.
            lowers: what it stands on.
            scratch: gives a folder to fill.
            move: the writable layer may be consumed.
        """

    def close(self) -> None:
        """End what runs for it; file systems stay."""
