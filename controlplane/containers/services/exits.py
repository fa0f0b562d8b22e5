"""Why a container ended: code, flags, last lines, and who had ordered it. Kept also when the container is gone."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.db.models import F

from controlplane.common import readings
from controlplane.containers.models import Container
from controlplane.orders.models import Order, OrderState

ENDING: Final = ("container.stop", "container.kill", "container.restart", "container.remove")
# An order that began this long before the end, at most, is its cause.
CAUSE_WITHIN: Final = timedelta(minutes=5)
TAIL: Final = 50


def exit_recorded(*, container: Container, event: Mapping[str, Any]) -> Order | None:
    """Write `last_exit` from a `die` event that carries `exit`; the order that caused it, if one did."""
    told = readings.mapping(event.get("exit"))
    started, finished = readings.moment(told.get("started_at")), readings.moment(told.get("finished_at"))
    at = finished or readings.moment(event.get("at"))
    cause = _cause(container, at)
    code = readings.number(told.get("code"))
    if code is None:
        attributes = readings.texts(event.get("attributes"))
        code = int(attributes["exitCode"]) if attributes.get("exitCode", "").isdigit() else None
    tail = [line for line in readings.listing(told.get("log_tail")) if _is_line(line)]
    container.last_exit = {
        "code": code,
        "signal": code - 128 if code is not None and 128 < code < 193 else None,
        "oom_killed": bool(told.get("oom_killed")),
        "error": readings.text(told.get("error"), 2000),
        "at": at.isoformat() if at else None,
        "ran_for": (finished - started).total_seconds() if started and finished and finished >= started else None,
        "log_tail": tail[-TAIL:],
        "log_kept": "log_tail" in told,
        "order": {"id": str(cause.pk), "op": cause.op} if cause else None,
        "actor": {"id": cause.actor_id, "name": cause.actor_name, "kind": cause.actor_kind} if cause else None,
    }
    Container.objects.filter(pk=container.pk).update(last_exit=container.last_exit, version=F("version") + 1)
    return cause


def _cause(container: Container, at: Any) -> Order | None:
    if at is None:
        return None
    orders = Order.objects.filter(target_id=container.pk, op__in=ENDING, started_at__lte=at + timedelta(seconds=1))
    recent = orders.filter(started_at__gte=at - CAUSE_WITHIN).exclude(state=OrderState.FAILED)
    return recent.order_by("-started_at").first()


def _is_line(line: Any) -> bool:
    return isinstance(line, list) and all(isinstance(part, str) for part in line)
