"""What a user, or one of its tokens, may do: rows of rights, worked out once a request."""

import ipaddress
import uuid

from controlplane.accounts.models import ApiToken, Grant, User
from controlplane.common import rights as known
from controlplane.common.access import Access, Actor


def rights_of(user: User) -> dict[str, frozenset[uuid.UUID] | None]:
    """Right -> the hosts on which the user's grants give it; None means all."""
    found: dict[str, frozenset[uuid.UUID] | None] = {}
    rows = Grant.objects.filter(user=user).values_list("role__rights__right", "host_id")
    for right, host_id in rows:
        if right not in known.ALL:
            continue
        if host_id is None:
            found[right] = None
        elif right not in known.GLOBAL and found.get(right, frozenset()) is not None:
            found[right] = (found.get(right) or frozenset()) | {host_id}
    return found


def access_of_user(user: User, *, address: str = "", request_id: str = "") -> Access:
    """A signed-in person."""
    actor = Actor(f"user:{user.pk}", user.username, "user", address, request_id, user.pk)
    return Access(actor, rights_of(user))


def access_of_token(token: ApiToken, *, address: str = "", request_id: str = "") -> Access:
    """A token: its scopes and hosts, cut down to what its owner may do now."""
    held = rights_of(token.user)
    if token.scopes:
        held = {right: hosts for right, hosts in held.items() if right in token.scopes}
    if token.hosts:
        own = frozenset(uuid.UUID(text) for text in token.hosts)
        held = {
            right: own if hosts is None else hosts & own for right, hosts in held.items() if right not in known.GLOBAL
        }
    name = f"{token.user.username} ({token.name})"
    return Access(Actor(f"token:{token.pk}", name, "token", address, request_id, token.user.pk), held, token.pk)


def may_come_from(token: ApiToken, address: str) -> bool:
    """Whether the token's list of networks allows the address."""
    if not token.addresses:
        return True
    try:
        own = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(own in ipaddress.ip_network(network, strict=False) for network in token.addresses)
