"""Five sign-ins that fail, from one network for one name, then 15 minutes of rest.

A sign-in is counted *before* its password is looked at, by one UPDATE, so that two hundred at once get five looks
together; a sign-in that succeeds gives its count back. The name is counted as it was typed, known or not.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from controlplane.accounts.models import SignInCount

TRIES = 5
WINDOW = timedelta(minutes=15)


def key_of(name: str, address: str) -> str:
    """One counter for a name and an IPv4 address or an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
        mapped = getattr(parsed, "ipv4_mapped", None)
        network = str(
            mapped or (ipaddress.ip_network(f"{address}/64", strict=False) if parsed.version == 6 else parsed)
        )
    except ValueError:
        network = address
    return hashlib.sha256(f"{name.strip().casefold()}\n{network}".encode()).hexdigest()


def take(key: str, now: datetime | None = None) -> int:
    """Count one try. 0 when it may go on, else the seconds to wait."""
    now = now or timezone.now()
    rows = SignInCount.objects.filter(key=key)
    for _ in range(3):
        if rows.filter(since__gt=now - WINDOW, count__lt=TRIES).update(count=F("count") + 1):
            return 0
        if rows.filter(since__lte=now - WINDOW).update(since=now, count=1):
            return 0
        try:
            with transaction.atomic():
                SignInCount.objects.create(key=key, since=now)
        except IntegrityError:
            row = rows.first()
            if row is not None and row.count >= TRIES and row.since > now - WINDOW:
                return max(1, int((row.since + WINDOW - now).total_seconds()))
            continue
        return 0
    return int(WINDOW.total_seconds())


def succeeded(key: str) -> None:
    """The right password: the counter begins anew."""
    SignInCount.objects.filter(key=key).delete()


def forget_old() -> int:
    """Drop counters past their time; beat calls it."""
    return SignInCount.objects.filter(since__lte=timezone.now() - WINDOW).delete()[0]
