"""The browsers' sockets, as a table that can be read as a page."""

from controlplane.common import rights
from controlplane.common.permissions import SELF
from controlplane.live import events, logs, orders, stats, terminal
from controlplane.live.app import Browsers, Route

# Written here for who reads and for the table of rights; each application asks for its right itself.
ROUTES = [
    Route("/ws/events", SELF, events.serve),
    Route("/ws/containers/{id}/logs", rights.CONTAINERS_LOGS, logs.serve, query="tail since from stream"),
    Route("/ws/containers/{id}/stats", rights.CONTAINERS_VIEW, stats.container, query="every"),
    Route("/ws/containers/{id}/exec", rights.CONTAINERS_EXEC, terminal.exec_, query="exec"),
    Route("/ws/containers/{id}/attach", rights.CONTAINERS_LOGS, terminal.attach, query="stdin detach_keys"),
    Route("/ws/hosts/{id}/stats", rights.HOSTS_VIEW, stats.host),
    Route("/ws/orders/{id}", SELF, orders.serve, query="after"),
]
BROWSERS = Browsers(ROUTES)
