"""Every page, light and dark, wide and narrow: no sideways scroll, axe finds nothing, and a picture to look at.

Pictures go to ``LONGSHORE_SHOTS`` where that names a folder.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.browser import chromium, new_context, sign_in
from tests.lab import REPOSITORY, Lab

AXE = REPOSITORY / "frontend/node_modules/axe-core/axe.min.js"
SHOTS = os.environ.get("LONGSHORE_SHOTS", "")
RUN_AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(
  v => v.id + ': ' + v.help + ' — ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(', '))"""
PAGES = {
    "home": "/",
    "containers": "/containers",
    "container-new": "/containers/new",
    "container": "/containers/{container}",
    "container-logs": "/containers/{container}/logs",
    "container-stats": "/containers/{container}/stats",
    "container-terminal": "/containers/{container}/terminal",
    "container-inspect": "/containers/{container}/inspect",
    "container-history": "/containers/{container}/history",
    "images": "/images",
    "image": "/images/{image}",
    "image-pull": "/images/pull",
    "image-build": "/images/build",
    "volumes": "/volumes",
    "volume-new": "/volumes/new",
    "volume": "/volumes/{volume}",
    "networks": "/networks",
    "network-new": "/networks/new",
    "network": "/networks/{network}",
    "hosts": "/hosts",
    "host-new": "/hosts/new",
    "host": "/hosts/{host}",
    "registry": "/registry",
    "orders": "/orders",
    "order": "/orders/{order}",
    "events": "/events",
    "audit": "/audit",
    "tokens": "/profile/tokens",
    "not-found": "/containers/00000000-0000-7000-8000-000000000000",
}


@pytest.fixture(scope="module")
def ids(lab: Lab) -> dict[str, str]:
    """One object of each kind to look at."""
    web = lab.hosts["web-1"]
    web.docker("volume", "create", "shown")
    web.docker("network", "create", "shown")
    script = 'while true; do echo "$(date) INFO served /"; echo warning >&2; sleep 1; done'
    web.docker("run", "-d", "--name", "shown", "-p", "8080:80", "-v", "shown:/data", "busybox", "sh", "-c", script)
    web.docker("run", "-d", "--name", "failed", "busybox", "sh", "-c", "echo cannot reach the database >&2; exit 3")

    def first(path: str) -> str:
        lab.until(lambda: lab.api("GET", path)["results"], path)
        return str(lab.api("GET", path)["results"][0]["id"])

    lab.order("POST", "volumes/", {"host": web.id, "name": "ordered"})
    return {
        "container": first("containers/?name=shown"), "image": first("images/?search=busybox"),
        "volume": first("volumes/?name=shown"), "network": first("networks/?name=shown"),
        "host": web.id, "order": first("orders/"),
    }  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False), (390, True)])
def test_every_page(lab: Lab, ids: dict[str, str], width: int, dark: bool) -> None:
    faults: list[str] = []
    with chromium(lab) as browser:
        context = new_context(browser, width=width, height=900 if width > 640 else 844, dark=dark)
        faults += _look(context.new_page(), "sign-in", "/sign-in", width, dark)
        page = sign_in(context)
        for name, path in PAGES.items():
            faults += _look(page, name, path.format(**ids), width, dark)
    assert faults == []


def _look(page: Page, name: str, path: str, width: int, dark: bool) -> list[str]:
    noise: list[str] = []
    listener: Any = lambda message: noise.append(message.text) if message.type == "error" else None  # noqa: E731
    page.on("console", listener)
    page.goto(path)
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    page.wait_for_timeout(600)
    faults = []
    if page.evaluate("document.documentElement.scrollWidth") > width:
        faults.append(f"{name} {width}: scrolls sideways")
    if AXE.exists():
        page.evaluate(AXE.read_text())
        faults += [f"{name} {width} {'dark' if dark else 'light'}: {v}" for v in page.evaluate(RUN_AXE)]
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}-{width}-{'dark' if dark else 'light'}.png")
    page.remove_listener("console", listener)
    faults += [f"{name}: console: {text}" for text in noise if "404" not in text]
    return faults


def test_what_failed_is_said_in_words_and_found_by_its_port(lab: Lab, ids: dict[str, str]) -> None:
    refused = lab.request(
        "DELETE", f"volumes/{ids['volume']}/?confirm=shown", headers={"Prefer": "wait=30"}
    )  # in use: the engine refuses
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    with chromium(lab) as browser:
        page = sign_in(new_context(browser))
        row = page.get_by_role("region", name="Needs attention").get_by_role("listitem").filter(has_text="in use")
        expect(row.get_by_text("Remove shown", exact=True)).to_be_visible()
        page.goto("/containers?search=8080")
        expect(page.get_by_role("status", name="1 container", exact=True).first).to_be_visible()
        button = page.get_by_role("button", name="Actions for shown")
        button.click()
        expect(page.get_by_role("menuitem", name="Stop", exact=True)).to_be_focused()
        if AXE.exists():
            page.evaluate(AXE.read_text())
            assert [fault for fault in page.evaluate(RUN_AXE) if not fault.startswith("region:")] == []
        page.keyboard.press("Escape")
        expect(button).to_be_focused()


def test_titles_name_the_page(lab: Lab) -> None:
    with chromium(lab) as browser:
        context: BrowserContext = new_context(browser)
        page = sign_in(context)
        for path, heading in {"/containers": "Containers", "/hosts": "Hosts", "/orders": "Activity"}.items():
            page.goto(path)
            expect(page).to_have_title(f"{heading} · Longshore")
