"""What an order needs of secrets, made anew at every fetch and never stored: a token for one repository of ours."""

from typing import Any

from controlplane.orders.models import Order
from controlplane.orders.secrets import secret_of
from controlplane.registry import tokens

_ACTIONS = {
    "image.pull": ("reference", ("pull",)),
    "image.push": ("reference", ("pull", "push")),
    "container.create": ("image", ("pull",)),
}


def grants_for(order: Order) -> dict[str, Any]:
    """`registry_auth` as Docker's X-Registry-Auth has it, where the order's image lives in our own registry."""
    name, actions = _ACTIONS.get(order.op, ("", ()))
    reference = str(order.args.get(name) or "") if name else ""
    repository = own_repository(reference)
    if not repository:
        given = secret_of(order)
        return {"registry_auth": given} if given else {}
    token = tokens.issue(repository, actions, f"host:{order.host_id}")
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
