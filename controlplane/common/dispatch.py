"""Send a task by its name, once the transaction that wanted it has committed.

Services never import tasks. A lost message costs time, never an effect: whatever must happen has a row, and beat looks
for rows that nobody took up.
"""

import uuid
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import transaction
from kombu.entity import Exchange, Queue

log = structlog.get_logger(__name__)
RUN_ORDER = "agent.run_order"


def host_queue(host_id: uuid.UUID) -> Queue:
    """The one queue that a host's agent reads; see the rules of its Redis user."""
    name = f"agent:{host_id}:q"
    return Queue(name, Exchange(""), routing_key=name)  # type: ignore[no-untyped-call]


def send(name: str, args: Sequence[Any], *, queue: Queue | None = None) -> bool:
    """Send now; False when the broker does not answer."""
    from controlplane.celery import app

    try:
        app.send_task(name, args=list(args), queue=queue, retry=False, ignore_result=True)
    except Exception as error:
        log.warning("task not sent", task=name, error=f"{type(error).__name__}: {error}")
        return False
    return True


def send_on_commit(name: str, *args: Any, queue: Queue | None = None) -> None:
    """Send when the current transaction commits; at once outside of one."""
    transaction.on_commit(lambda: send(name, args, queue=queue), robust=True)


def ring_on_commit(host_id: uuid.UUID, order_id: uuid.UUID) -> None:
    """Tell a host's agent that there is an order for it."""
    send_on_commit(RUN_ORDER, str(order_id), queue=host_queue(host_id))
