"""What hosts have, as they report it, handed to the apps that keep the records."""

from typing import Any

from controlplane.hosts.models import Host


def listed(host: Host, kind: str, run: str, items: list[dict[str, Any]], *, last: bool) -> None:
    """A part of a whole list."""


def changed(host: Host, kind: str, items: list[dict[str, Any]], gone: list[str]) -> None:
    """Some objects."""


def happened(host: Host, items: list[dict[str, Any]]) -> None:
    """Events."""


def sampled(host: Host, items: list[dict[str, Any]]) -> None:
    """Samples."""
