"""What a kind of volume must be able to do. The calls block; the service makes them in threads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Driver(Protocol):
    """Keeps the data of volumes."""

    name: str

    def check(self, volume: str, options: Mapping[str, str]) -> None:
        """Refuse options that cannot be.

        Raises:
            Invalid: an option is unknown or contradicts another.
        """

    def path(self, volume: str) -> Path:
        """Where the data is seen, mounted or not."""

    def create(self, volume: str) -> None:
        """Make the place; idempotent."""

    def remove(self, volume: str) -> None:
        """Take place and data away; idempotent."""

    def mount(self, volume: str, options: Mapping[str, str]) -> Path:
        """Make the data visible at ``path``; idempotent."""

    def unmount(self, volume: str, options: Mapping[str, str]) -> None:
        """The reverse of ``mount``; idempotent."""
