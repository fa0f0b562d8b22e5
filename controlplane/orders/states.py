"""Where an order stands. Pure; results.py makes the moves, each a guarded UPDATE.

queued ─▶ sent ─▶ running ─▶ done | failed
   │        └───────┴─────▶ expired | cancelled | failed     by the host's word
   └─▶ expired | cancelled | failed (host revoked)           by ours, while nobody had it
"""

from datetime import datetime, timedelta
from typing import Final

from controlplane.orders.models import OrderState

OPEN: Final = (OrderState.QUEUED, OrderState.SENT, OrderState.RUNNING)
FINAL: Final = (OrderState.DONE, OrderState.FAILED, OrderState.EXPIRED, OrderState.CANCELLED)
CANCELLABLE: Final = (OrderState.QUEUED, OrderState.SENT)
RETRYABLE: Final = (OrderState.FAILED, OrderState.EXPIRED, OrderState.CANCELLED)
SILENCE: Final = timedelta(minutes=1)


def waiting_for(*, state: str, host_online: bool, not_after: datetime, now: datetime) -> str | None:
    """What an open order waits for: `host` while it is away, `outcome` when the host fell silent past the end."""
    if state not in OPEN:
        return None
    if not host_online:
        late = state != OrderState.QUEUED and now > not_after + SILENCE
        return "outcome" if late else "host"
    return None
