"""The browsers' sockets, as a table that can be read as a page."""

from controlplane.live import events, logs, orders, stats, terminal
from controlplane.live.app import Browsers, Route

ROUTES = [
    Route("/ws/events", events.serve),
    Route("/ws/containers/{id}/logs", logs.serve, query="tail since from stream"),
    Route("/ws/containers/{id}/stats", stats.container, query="every"),
    Route("/ws/containers/{id}/exec", terminal.exec_, query="exec"),
    Route("/ws/containers/{id}/attach", terminal.attach, query="stdin detach_keys"),
    Route("/ws/hosts/{id}/stats", stats.host),
    Route("/ws/orders/{id}", orders.serve, query="after"),
]
BROWSERS = Browsers(ROUTES)
