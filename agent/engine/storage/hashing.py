"""A sink that only hashes."""

import hashlib


class HashSink:
    """SHA-256 and length of what is written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> None:
        """Take these bytes in."""
        self._hash.update(data)
        self.size += len(data)

    @property
    def digest(self) -> str:
        """``sha256:…`` of all so far."""
        return "sha256:" + self._hash.hexdigest()
