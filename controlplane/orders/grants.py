"""What an order needs of secrets, made anew at every fetch and never stored: a token for repositories of ours."""

from typing import Any, Final

from controlplane.orders.models import Order
from controlplane.orders.secrets import secret_of
from controlplane.registry import tokens

_ACTIONS = {
    "image.pull": ("reference", ("pull",)),
    "image.push": ("reference", ("pull", "push")),
    "container.create": ("image", ("pull",)),
    "image.build": ("bases", ("pull",)),
}
MOST: Final = 12
"""Repositories of one token: with the longest names it still fits into a header's 8 KiB."""


def grants_for(order: Order) -> dict[str, Any]:
    """`registry_auth` as Docker's X-Registry-Auth has it, where the order's images live in our own registry."""
    name, actions = _ACTIONS.get(order.op, ("", ()))
    named = order.args.get(name) or ()
    references = [named] if isinstance(named, str) else named
    repositories = sorted({found for one in references if (found := own_repository(str(one)))})[:MOST]
    if not repositories:
        given = secret_of(order)
        return {"registry_auth": given} if given else {}
    token = tokens.issue(repositories, actions, f"host:{order.host_id}")
    return {"registry_auth": {"registrytoken": token, "serveraddress": tokens.service()}}


def own_repository(reference: str) -> str:
    """The repository's name if a reference names our own registry, else empty."""
    host, slash, rest = reference.partition("/")
    if not slash or host != tokens.service():
        return ""
    rest = rest.split("@", 1)[0]
    head, _, last = rest.rpartition("/")
    last = last.split(":", 1)[0]
    return f"{head}/{last}" if head else last
