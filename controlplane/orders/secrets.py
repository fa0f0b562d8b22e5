"""Credentials that one order needs and no record may hold: sealed, handed out with each fetch, gone with the order.

The key lies in `LONGSHORE_DATA/secrets/orders.key` (0600), outside the database.
"""

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from controlplane.common.references import registry_of
from controlplane.orders.models import Order, OrderSecret


def keep(order: Order, credential: Mapping[str, str]) -> None:
    """Seal a credential of the registry of an order's reference, and remember that there was one."""
    secret = {**credential, "serveraddress": registry_of(str(order.args["reference"]))}
    sealed = _fernet().encrypt(json.dumps(secret).encode()).decode()
    OrderSecret.objects.create(order=order, sealed=sealed)
    Order.objects.filter(pk=order.pk).update(with_credential=True)
    order.with_credential = True


def secret_of(order: Order) -> dict[str, str] | None:
    """The credential of an open order; None when there is none, or its key is another one by now."""
    row = OrderSecret.objects.filter(order=order).first()
    if row is None:
        return None
    try:
        found: dict[str, str] = json.loads(_fernet().decrypt(row.sealed.encode()))
    except InvalidToken:
        return None
    return found


def _fernet() -> Fernet:
    return Fernet(_key(Path(settings.LONGSHORE_DATA) / "secrets" / "orders.key"))


@lru_cache(maxsize=4)
def _key(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_bytes(Fernet.generate_key())
        try:
            # link, unlike rename, lets the first of two starting processes win
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
