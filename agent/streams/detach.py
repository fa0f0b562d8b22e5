"""The keys that end a client's view of a terminal and leave the container running; ctrl-p,ctrl-q unless told otherwise.

Docker CLI reference: ``--detach-keys``. Source: moby ``pkg/term`` (escape proxy and ToBytes).
"""

DEFAULT = b"\x10\x11"

_CONTROLS = {f"ctrl-{letter}": bytes([number]) for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz", 1)}
_CONTROLS |= {
    "ctrl-@": b"\0",
    "ctrl-[": b"\x1b",
    "ctrl-\\": b"\x1c",
    "ctrl-]": b"\x1d",
    "ctrl-^": b"\x1e",
    "ctrl-_": b"\x1f",
}


class BadKeys(ValueError):
    """The text names no keys."""


def parse(text: str) -> bytes:
    """``ctrl-a,b`` as the bytes that a terminal sends.

    Raises:
        BadKeys: a part is neither one character nor ``ctrl-`` and a letter or one of ``@ [ \\ ] ^ _``.
    """
    keys = b""
    for part in text.split(","):
        if len(part) == 1:
            keys += part.encode()
        elif part.lower() in _CONTROLS:
            keys += _CONTROLS[part.lower()]
        else:
            raise BadKeys(f"Unknown character: '{part}'")
    return keys


class Matcher:
    """Watches typed bytes for the keys. A begun match is held back, and handed on when it turns out to be none."""

    def __init__(self, keys: bytes = DEFAULT) -> None:
        self._keys, self._held = keys, b""
        self.detached = False

    def feed(self, data: bytes) -> bytes:
        """What of the bytes is for the program; sets ``detached`` once the keys are complete."""
        if not self._keys or self.detached:
            return b"" if self.detached else data
        data, self._held = self._held + data, b""
        at = data.find(self._keys)
        if at >= 0:
            self.detached = True
            return data[:at]
        for length in range(min(len(self._keys) - 1, len(data)), 0, -1):
            if data.endswith(self._keys[:length]):
                self._held = data[-length:]
                return data[:-length]
        return data
