"""What somebody is about to use, and nothing may collect.

A pull holds the digests and chains of its image from before it looks whether they are there until the image's record
names them. Held in memory: a crash ends every pull, and with it every reason to hold.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Leases:
    """A multiset of digests and chain ids in use."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self) -> Iterator["Lease"]:
        """A lease for the block; add names to it as they become known."""
        lease = Lease(self._held)
        try:
            yield lease
        finally:
            lease.end()

    def __contains__(self, name: str) -> bool:
        return self._held[name] > 0 if name in self._held else False


class Lease:
    """The names that one operation holds."""

    def __init__(self, held: "Counter[str]") -> None:
        self._held = held
        self._mine: list[str] = []

    def add(self, *names: str) -> None:
        """Hold these too."""
        self._mine += names
        self._held.update(names)

    def end(self) -> None:
        """Let go of all."""
        for name in self._mine:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]
        self._mine.clear()
