"""Network modes without a bridge: what a container's NetworkMode means."""

from dataclasses import dataclass

CONTAINER = "container:"


@dataclass(frozen=True, slots=True)
class Mode:
    """NetworkMode, understood."""

    kind: str
    """``bridge`` (any network with links), ``host``, ``none`` or ``container``."""
    target: str
    """The network's or the container's name."""


def read_mode(text: str) -> Mode:
    """``default``, ``bridge``, ``host``, ``none``, ``container:REF`` or a network's name or id."""
    if text.startswith(CONTAINER):
        return Mode("container", text.removeprefix(CONTAINER))
    if text in ("host", "none"):
        return Mode(text, text)
    return Mode("bridge", "bridge" if text in ("", "default") else text)
