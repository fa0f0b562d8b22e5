"""Orders as signed envelopes: what a host can verify with the key that it pinned when it enrolled."""

from agent.protocol.envelopes import Envelope, seal
from controlplane.hosts import server_key
from controlplane.orders.models import Order


def sealed(order: Order) -> dict[str, str]:
    """The order's envelope, signed by the control plane's key."""
    envelope = Envelope(
        order_id=str(order.pk),
        host_id=str(order.host_id),
        seq=order.seq,
        op=order.op,
        args=order.args,
        not_after=order.not_after.timestamp(),
    )
    return seal(envelope, kid=server_key.key_hash(), sign=server_key.sign)
