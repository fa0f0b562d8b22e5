"""A container's log in the page: older lines come as one scrolls up, each once, and what is read stays where it is."""

import json
import re
import secrets

from playwright.sync_api import WebSocketRoute, expect

from tests.e2e.browser import chromium, new_context, sign_in
from tests.lab import Lab

LINES = 5000
# Now and then a line comes in two pieces.
LINE = "if [ $((i % 250)) = 0 ]; then printf 'li'; usleep 2000; echo ne $i; else echo line $i; fi"
SCRIPT = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); {LINE}; done; sleep 600"


def test_older_lines_come_on_scrolling_up(lab: Lab) -> None:
    name, web = f"long-{secrets.token_hex(3)}", lab.hosts["web-1"]
    web.docker("run", "-d", "--name", name, "busybox", "sh", "-c", SCRIPT)
    container = lab.first(f"containers/?name={name}&state=running")["id"]
    with chromium(lab) as browser:
        page = sign_in(new_context(browser))
        page.goto(f"/containers/{container}/logs")
        log, lines = page.get_by_role("log", name=f"Logs of {name}"), page.get_by_test_id("log-line")
        expect(lines.filter(has_text=f"line {LINES}")).to_be_visible(timeout=20_000)
        oldest = lines.filter(has_text="line 4001")
        log.evaluate("log => { log.scrollTop = 0 }")
        expect(oldest).to_be_visible()
        search = page.get_by_role("searchbox", name="Search logs")
        search.fill("line ")
        expect(page.get_by_role("status").filter(has_text="of 3,000")).to_be_visible()
        expect(oldest).to_be_in_viewport()
        for _ in range(4):
            log.evaluate("log => { log.scrollTop = 1000; log.scrollTop = 0 }")
            page.wait_for_timeout(1000)
        expect(page.get_by_role("status").filter(has_text="of 5,000")).to_be_visible()
        log.evaluate("log => { log.scrollTop = 0 }")
        expect(lines.first).to_contain_text("line 1")
        search.fill("line 3001")
        expect(page.get_by_role("status").filter(has_text="1 of 1")).to_be_visible()
        expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()
    web.docker("rm", "-f", name)


# 5,000 lines fill the window of a page that acknowledges nothing; of the long ones after them not all can wait.
FLOOD = """BEGIN {
    while (system("test -e /go")) system("sleep 0.2")
    for (i = 0; i < 5000; i++) print "short", i
    fflush()
    pad = sprintf("%015000d", 0)
    for (i = 0; i < 60; i++) { print "long", i, pad; fflush() }
    system("sleep 600")
}"""


def test_w3_a_page_that_was_too_slow_says_how_much_it_missed(lab: Lab) -> None:
    name, web = f"flood-{secrets.token_hex(3)}", lab.hosts["web-1"]
    web.docker("run", "-d", "--name", name, "busybox", "awk", FLOOD)
    container = lab.first(f"containers/?name={name}&state=running")["id"]
    with chromium(lab) as browser:
        page = sign_in(new_context(browser))
        servers: list[WebSocketRoute] = []

        def hold_acknowledgements(route: WebSocketRoute) -> None:
            servers.append(route.connect_to_server())
            route.on_message(lambda _: None)

        page.route_web_socket(re.compile(r"/ws/containers/.+/logs"), hold_acknowledgements)
        page.goto(f"/containers/{container}/logs")
        expect(page.get_by_role("log", name=f"Logs of {name}")).to_be_visible()
        wrap = page.get_by_role("switch", name="Wrap lines")
        if wrap.is_checked():
            wrap.click()
        web.docker("exec", name, "touch", "/go")
        expect(page.get_by_test_id("log-line").filter(has_text="short 4999")).to_be_visible(timeout=30_000)
        page.wait_for_timeout(8000)
        servers[-1].send(json.dumps({"type": "ack", "n": 10_000}))
        expect(page.get_by_test_id("log-line").filter(has_text="long 59")).to_be_visible(timeout=30_000)
        expect(page.get_by_text(re.compile(r"^\d+ lines dropped while the viewer was slow$"))).to_be_visible()
    web.docker("rm", "-f", name)
