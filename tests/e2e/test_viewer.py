"""The viewer role in the page: it sees everything, and what it may not do is greyed out with the reason."""

import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browser import chromium, new_context, sign_in
from tests.lab import PASSWORD, Lab

MAKE = (
    "from controlplane.accounts.services import user_create; user_create(username={!r}, password={!r}, role='viewer')"
)


@pytest.fixture(scope="module")
def name(lab: Lab) -> Iterator[str]:
    """A running container to look at."""
    name, web = f"watched-{secrets.token_hex(3)}", lab.hosts["web-1"]
    web.docker("volume", "create", name)
    web.docker("run", "-d", "--name", name, "-v", f"{name}:/data", "busybox", "sh", "-c", "echo hello; sleep 600")
    yield name
    web.docker("rm", "-f", name)
    web.docker("volume", "rm", name)


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator[Page]:
    """Somebody with the viewer role, signed in."""
    user = f"vera-{secrets.token_hex(2)}"
    lab.manage("shell", "-c", MAKE.format(user, PASSWORD))
    with chromium(lab) as browser:
        yield sign_in(new_context(browser), user)


def expect_refused(control: Locator, reason: str) -> None:
    """Shown and reachable, but off, and it says why."""
    expect(control).to_be_visible()
    expect(control).to_have_attribute("aria-disabled", "true")
    expect(control).to_have_accessible_description(reason)


def test_sections_and_ways_in(page: Page) -> None:
    page.goto("/")
    main = page.get_by_role("navigation", name="Main")
    expect(main.get_by_role("link", name=re.compile("^Containers"))).to_be_visible()
    expect(main.get_by_role("link", name=re.compile("^Audit"))).to_have_count(0)
    for path, link in {
        "/containers": "Create container", "/images": "Pull image", "/volumes": "Create volume",
        "/networks": "Create network", "/hosts": "Add host",
    }.items():  # fmt: skip
        page.goto(path)
        expect(page.get_by_role("status", name=re.compile(r"^\d+ \w+$")).first).to_be_visible()
        expect(page.get_by_role("link", name=link)).to_have_count(0)


def test_verbs_of_a_container_say_why_not(lab: Lab, page: Page, name: str) -> None:
    path = f"/containers/{lab.first(f'containers/?name={name}&state=running')['id']}"
    page.goto(path)
    for verb, right in {"Restart": "operate", "Stop": "operate", "Kill": "operate", "Remove": "remove"}.items():
        expect_refused(page.get_by_role("button", name=verb, exact=True), f"Needs containers.{right} on web-1")
    page.get_by_role("button", name="Stop", exact=True).click(force=True)
    expect(page.get_by_role("status", name="State: running", exact=True)).to_be_visible()
    page.goto(f"{path}/logs")
    expect(page.get_by_test_id("log-line").filter(has_text="hello").first).to_be_visible()
    page.goto(f"{path}/terminal")
    expect(page.get_by_role("alert").filter(has_text="Needs containers.exec on web-1")).to_be_visible()
    assert lab.api("GET", f"orders/?search={name}")["count"] == 0


def test_verbs_of_a_row_say_why_not(page: Page, name: str) -> None:
    page.goto(f"/containers?search={name}")
    row = page.get_by_role("row").filter(has_text=name)
    row.hover()
    expect_refused(row.get_by_role("button", name=f"Restart {name}"), "Needs containers.operate on web-1")
    row.get_by_role("button", name=f"Actions for {name}").click()
    for verb, right in {"Stop": "operate", "Terminal": "exec", "Remove": "remove"}.items():
        expect_refused(page.get_by_role("menuitem", name=verb, exact=True), f"Needs containers.{right} on web-1")
    page.keyboard.press("Escape")
    row.get_by_role("checkbox", name=f"Select {name}").check()
    stop = page.get_by_role("toolbar", name="Bulk actions").get_by_role("button", name="Stop")
    expect_refused(stop, "Needs containers.operate on web-1")


def test_other_objects_say_why_not(lab: Lab, page: Page, name: str) -> None:
    volume = lab.first(f"volumes/?name={name}")["id"]
    image = lab.first("images/?search=busybox")["id"]
    for path, button, reason in (
        (f"/volumes/{volume}", "Remove", "Needs volumes.manage on web-1"),
        (f"/images/{image}", "Remove", "Needs images.remove"),
        (f"/hosts/{lab.hosts['web-1'].id}", "Revoke host", "Needs hosts.manage"),
    ):
        page.goto(path)
        expect_refused(page.get_by_role("button", name=button, exact=True), reason)


def test_the_server_refuses_what_the_page_would_not_send(page: Page, name: str) -> None:
    page.goto("/volumes/new")
    page.get_by_label("Host", exact=True).first.click()
    page.get_by_role("option", name=re.compile("^web-1,")).click()
    page.get_by_label("Name", exact=True).fill(f"{name}-not")
    page.get_by_role("button", name="Create volume").click()
    expect(page.get_by_role("alert", name="There is 1 problem")).to_contain_text("volumes.manage")
