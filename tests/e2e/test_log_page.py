"""A container's log in the page: older lines come as one scrolls up, each once, and what is read stays where it is."""

import secrets

from playwright.sync_api import expect

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
