"""Make and change users and tokens."""

import ipaddress
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from controlplane.accounts import tokens
from controlplane.accounts.models import ApiToken, Grant, Role, User
from controlplane.common import bus, rights
from controlplane.common.access import Access
from controlplane.common.errors import Conflict, Denied, NotFound, invalid_field

# A token's use is written down at most this often: a busy script must not make a write of every read.
USE_NOTED_EVERY = timedelta(minutes=1)


def user_create(*, username: str, password: str, role: str) -> User:
    """Make a user with one role on all hosts.

    Raises:
        Conflict: the name is taken.
    """
    if User.objects.filter(username__iexact=username).exists():
        raise Conflict(f"There is a user {username!r} already", code="name_taken")
    with transaction.atomic():
        user = User.objects.create_user(username, password)
        Grant.objects.create(user=user, role=Role.objects.get(name=role))
    return user


def preferences_change(*, user: User, changes: dict[str, Any]) -> User:
    """Write some of a user's own preferences."""
    user.touch(preferences={**user.preferences, **changes})
    return user


def token_create(
    *,
    user: User,
    name: str,
    scopes: Sequence[str] = (),
    hosts: Sequence[uuid.UUID] = (),
    addresses: Sequence[str] = (),
    expires_at: datetime | None = None,
    within: Access | None = None,
) -> tuple[ApiToken, str]:
    """Make a token; the second value is the only time that it is seen.

    Args:
        within: who makes it, who can give away no more than it has; None for the command line.

    Raises:
        Invalid: a scope that does not exist.
        Denied: a scope, a host or an address that the maker does not have.
        Conflict: the user has a token of that name.
    """
    unknown = sorted(set(scopes) - rights.ALL)
    if unknown:
        raise invalid_field("/scopes", "unknown_right", f"There is no right {unknown[0]!r}", right=unknown[0])
    if within is not None:
        scopes = _within(within, scopes, hosts)
        addresses, expires_at = _no_freer(within, addresses, expires_at)
    text = tokens.make()
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(
                user=user,
                name=name,
                digest=tokens.digest(text),
                hint=tokens.hint(text),
                scopes=sorted(scopes),
                hosts=[str(host) for host in hosts],
                addresses=list(addresses),
                expires_at=expires_at,
            )
    except IntegrityError:
        raise Conflict(f"You have a token named {name!r} already", code="name_taken") from None
    return token, text


def _within(maker: Access, scopes: Sequence[str], hosts: Sequence[uuid.UUID]) -> Sequence[str]:
    if maker.token_id is not None and not scopes:
        # "All of the owner's" would be more than a token with scopes of its own has.
        scopes = sorted(maker.rights)
    for right in scopes:
        if not maker.anywhere(right):
            raise Denied(f"Needs {right}: a token cannot do more than its maker", code="missing_right")
    for host in hosts:
        if not any(maker.on(right, host) for right in maker.rights):
            raise NotFound("No such host, or you have no access to it")
    if maker.token_id is not None and not hosts and any(held is not None for held in maker.rights.values()):
        raise Denied("This token works on some hosts only: name the hosts of the new one", code="missing_right")
    return scopes


def _no_freer(
    maker: Access, addresses: Sequence[str], expires_at: datetime | None
) -> tuple[Sequence[str], datetime | None]:
    """Where from and how long: who finds a token cannot make itself one that is good elsewhere or for longer."""
    own = ApiToken.objects.filter(pk=maker.token_id).first() if maker.token_id is not None else None
    if own is None:
        return addresses, expires_at
    if own.expires_at is not None:
        expires_at = min(expires_at or own.expires_at, own.expires_at)
    allowed = [ipaddress.ip_network(text, strict=False) for text in own.addresses]
    for text in addresses if allowed else ():
        wanted = ipaddress.ip_network(text, strict=False)
        if not any(wanted.version == one.version and wanted.subnet_of(one) for one in allowed):  # type: ignore[arg-type]
            raise Denied(f"This token may not be used from {text}, nor may one that it makes", code="token_address")
    return addresses or own.addresses, expires_at


def token_delete(*, user: User, token_id: uuid.UUID) -> ApiToken:
    """End a token at once.

    Raises:
        NotFound: the user has no such token.
    """
    token = ApiToken.objects.select_related("user").filter(user=user, pk=token_id).first()
    if token is None:
        raise NotFound("No such token")
    ApiToken.objects.filter(pk=token.pk).delete()
    # sockets that were opened with it look again
    bus.publish_on_commit(bus.RIGHTS_CHANGED, user_id=str(user.pk))
    return token


def token_used(*, token: ApiToken, address: str) -> None:
    """Note when and from where a token came last."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY or token.last_used_from != address:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_from=address)
