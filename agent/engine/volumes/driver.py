"""What a kind of volume must be able to do: keep its data here, or have a plugin keep it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Found:
    """What a driver knows of one volume."""

    name: str
    mountpoint: str = ""
    """Empty where it is not mounted."""
    created: str = ""
    """As the plugin writes it."""
    status: Mapping[str, Any] = field(default_factory=dict)


class Driver(Protocol):
    """Keeps the data of volumes."""

    @property
    def name(self) -> str: ...

    @property
    def counts(self) -> bool:
        """It is told of every container's mount and unmount by the holder's id; else of the first and the last."""

    async def scope(self) -> str:
        """``local`` or ``global``."""

    async def create(self, volume: str, options: Mapping[str, str]) -> str:
        """Make the volume; where it lies, if that is known by now. Idempotent.

        Raises:
            Invalid: an option is unknown or contradicts another.
        """

    async def find(self, volume: str) -> Found | None:
        """The volume, if the driver has it."""

    async def list(self) -> Sequence[Found]:
        """Every volume that the driver has."""

    async def remove(self, volume: str) -> None:
        """Take place and data away; idempotent."""

    async def mount(self, volume: str, options: Mapping[str, str], holder: str) -> Path:
        """Make the data visible, and tell where; idempotent for one holder."""

    async def unmount(self, volume: str, options: Mapping[str, str], holder: str) -> None:
        """The reverse of ``mount``; idempotent."""
