"""Report type -> what is done with it, in one table. Every row writes for the reporting host and for no other.

The host is the one whose key opened the connection; nothing in a report chooses it. What a report names of another
host's is refused, with a row in the trail.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.protocol import reports
from controlplane.gateway.agents import ReportRefused
from controlplane.hosts import presence
from controlplane.hosts.models import Host
from controlplane.inbox import observed
from controlplane.orders import dispatch, results

# what a handler returns is sent back before the ack
Reply = str | None
Row = Callable[[uuid.UUID, Mapping[str, Any]], Reply]


def fetch(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """The host asks for its orders."""
    items, more, last = dispatch.orders_to_send(host_id, message["after"])
    return reports.write("orders", items=items, more=more, next=last)


def host(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """What the host is."""
    presence.host_reported(host_id, message["report"])
    return None


def inventory(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """A part of a whole list; the last one says what is gone."""
    observed.listed(_host(host_id), message["kind"], message["run"], message["items"], last=message["last"])
    return None


def changed(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """Some objects as they are now."""
    observed.changed(_host(host_id), message["kind"], message["items"], message["gone"])
    return None


def events(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """What the engine said."""
    observed.happened(_host(host_id), message["items"])
    return None


def stats(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """Samples of use."""
    observed.sampled(_host(host_id), message["items"])
    return None


def order_ack(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """The host has written orders down; handing them out already said so here."""
    return None


def order_running(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """The host began one."""
    results.order_running(host_id, message["order_id"], message["at"])
    return None


def order_progress(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """Lines that it wrote."""
    results.order_lines_add(host_id, message["order_id"], message["lines"], message["progress"])
    return None


def order_result(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """How one ended."""
    results.order_ended(
        host_id,
        message["order_id"],
        state=message["state"],
        result=message["result"],
        problem=message["problem"],
        finished_at=message["finished_at"],
    )
    return None


def order_refused(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """An envelope that the host will not carry out: it ends here with the host's reason."""
    state = "expired" if message["code"] == "expired" else "failed"
    problem = {"code": message["code"][:64], "status": 0, "detail": message["detail"][:2000]}
    results.order_ended(host_id, message["order_id"], state=state, result={}, problem=problem, finished_at="")
    return None


TABLE: Final[Mapping[str, Row]] = {
    "fetch": fetch,
    "host": host,
    "inventory": inventory,
    "changed": changed,
    "events": events,
    "stats": stats,
    "order.ack": order_ack,
    "order.running": order_running,
    "order.progress": order_progress,
    "order.result": order_result,
    "order.refused": order_refused,
}
assert TABLE.keys() == reports.UP_TYPES


def take(host_id: uuid.UUID, message: Mapping[str, Any]) -> Reply:
    """Carry one report to its service.

    Raises:
        ReportRefused: it concerns something that is not this host's, or is not of the shape it should be.
    """
    kind = message["type"]
    try:
        return TABLE[kind](host_id, message)
    except results.NotThisHosts as error:
        presence.report_refused(host_id, kind, "not_this_hosts", str(error))
        raise ReportRefused("not_this_hosts", "no such object on this host") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        presence.report_refused(host_id, kind, "malformed", f"{type(error).__name__}: {error}")
        raise ReportRefused("malformed", "the report is not of the shape it should be") from None


def _host(host_id: uuid.UUID) -> Host:
    return Host.objects.get(pk=host_id)
