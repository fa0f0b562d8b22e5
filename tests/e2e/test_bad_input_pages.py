"""Bad input as a person sees it: said where it was made, naming object and cure, and nothing is half done."""

import datetime as dt
import json
import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from tests.e2e.browser import chromium, new_context, sign_in
from tests.lab import CONTROL_PLANE, Lab, LabHost

SECONDS = 1000
MISSING = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def browser(lab: Lab) -> Iterator[Browser]:
    with chromium(lab) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return sign_in(new_context(browser))


@pytest.fixture
def name() -> str:
    return f"seen-{secrets.token_hex(3)}"


def choose_host(page: Page, host: LabHost) -> None:
    page.get_by_label("Host", exact=True).first.click()
    page.get_by_role("option", name=re.compile(f"^{host.name},")).first.click()


def fill_container(page: Page, host: LabHost, name: str, image: str = "busybox") -> None:
    page.goto("/containers/new")
    choose_host(page, host)
    page.get_by_role("combobox", name="Image").fill(image)
    page.get_by_label("Name", exact=True).fill(name)


def create(page: Page) -> None:
    page.get_by_role("button", name="Create container", exact=True).click()


def expect_creation_failed(page: Page, name: str, words: str) -> None:
    """The page of a container that the engine refused: its state, and why."""
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible(timeout=15 * SECONDS)
    expect(page.get_by_role("status", name="State: creation failed")).to_be_visible(timeout=30 * SECONDS)
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text(words)


def expect_problem(page: Page, label: str, words: re.Pattern[str]) -> None:
    """One problem in the summary, which has the focus; its link leads to the field that says the same."""
    summary = page.get_by_role("alert", name="There is 1 problem")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name=words).click()
    field = page.get_by_label(label, exact=True).first
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(words)


def test_an_unknown_image(lab: Lab, page: Page, name: str) -> None:
    web, reference = lab.hosts["web-1"], f"{lab.registry}/nowhere:{name}"
    fill_container(page, web, name, reference)
    create(page)
    expect_creation_failed(page, name, reference.rpartition(":")[0])
    assert web.docker("ps", "-aq", "--filter", f"name={name}").stdout == ""


def test_a_taken_name(lab: Lab, page: Page, name: str) -> None:
    web = lab.hosts["web-1"]
    first = web.docker("create", "--name", name, "busybox").stdout.strip()
    lab.first(f"containers/?name={name}")
    fill_container(page, web, name)
    expect(page.get_by_label("Name", exact=True)).to_have_accessible_description(re.compile(f"^Taken by {name}"))
    create(page)
    expect_creation_failed(page, name, "already in use")
    assert web.docker("inspect", "-f", "{{.Id}}", name).stdout.strip() == first


def test_a_taken_port(lab: Lab, page: Page, name: str) -> None:
    web = lab.hosts["web-1"]
    web.docker("run", "-d", "--name", name, "-p", "18090:80", "busybox", "sleep", "600")
    lab.first(f"containers/?name={name}&state=running")
    fill_container(page, web, f"{name}-2")
    ports = page.get_by_role("group", name="Ports")
    ports.locator("summary").click()
    ports.get_by_role("button", name="Add port").click()
    ports.get_by_label("Host port").fill("18090")
    ports.get_by_label("Container port").fill("80")
    expect(ports.get_by_text(re.compile(f"18090.*{name}"))).to_be_visible(timeout=10 * SECONDS)
    create(page)
    alert = page.get_by_role("alert").filter(has_text="18090").first
    expect(alert).to_be_visible(timeout=30 * SECONDS)
    assert "running" not in web.docker("ps", "-a", "--filter", f"name={name}-2", "--format", "{{.State}}").stdout
    web.docker("rm", "-f", name)


def test_a_host_that_is_offline(lab: Lab, page: Page, name: str) -> None:
    edge = lab.hosts["edge-1"]
    edge.docker("run", "-d", "--name", name, "busybox", "sleep", "600")
    path = f"/containers/{lab.first(f'containers/?name={name}&state=running')['id']}"
    held: list[WebSocketRoute] = []

    def hold(route: WebSocketRoute) -> None:
        held.append(route)

    page = page.context.new_page()
    page.route_web_socket("**/ws/events", hold)
    page.goto(path)
    expect(page.get_by_role("status", name="State: running", exact=True)).to_be_visible()
    edge.stop()
    try:
        lab.until(lambda: lab.api("GET", f"hosts/{edge.id}/")["state"] == "offline", "edge-1 offline", 60)
        # the change came between the page's first answer and its socket
        held[0].connect_to_server()
        expect(page.get_by_role("status", name=re.compile("^State: running as of"))).to_be_visible(timeout=15 * SECONDS)
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("alertdialog").or_(page.get_by_role("dialog")).get_by_role("button", name="Cancel").click()
        assert lab.api("GET", f"orders/?op=container.stop&host={edge.name}&state=queued")["count"] == 0
        page.route("**/api/containers/*/stop/", _soon)
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("button", name=re.compile("^Queue until")).click()
        expect(page.get_by_role("status", name=re.compile("Stop queued, waiting for host$"))).to_be_visible()
        expect(page.get_by_role("alert", name="Errors")).to_contain_text(f"Expired: Stop {name}", timeout=60 * SECONDS)
        expect(page.get_by_role("status", name=re.compile("^State: running as of")).first).not_to_have_accessible_name(
            re.compile("queued")
        )
        page.get_by_role("alert", name="Errors").get_by_role("link").click()
        expect(page.get_by_role("status", name="Order: expired")).to_be_visible()
        expect(page.get_by_role("button", name="Retry")).to_be_enabled()
    finally:
        page.close()
        edge.start()
        lab.wait_online(edge)
    assert edge.docker("inspect", "-f", "{{.State.Running}}", name).stdout.strip() == "true"
    edge.docker("rm", "-f", name)


def _soon(route: Route) -> None:
    """The order that the page sends, with a patience of seconds in place of minutes."""
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=6)).isoformat()
    body = json.loads(route.request.post_data or "{}")
    assert body["not_after"]
    route.continue_(post_data=json.dumps(body | {"not_after": soon}))


def test_a_registry_that_is_down(lab: Lab, page: Page) -> None:
    address = f"{CONTROL_PLANE}:5999"
    page.goto("/images/pull")
    page.get_by_label("Image", exact=True).fill(f"{address}/app:1")
    choose_host(page, lab.hosts["web-1"])
    page.get_by_role("button", name="Pull image", exact=True).click()
    expect(page.get_by_role("status", name="Order: failed")).to_be_visible(timeout=30 * SECONDS)
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text(address)


def test_a_wrong_password(browser: Browser) -> None:
    page = new_context(browser).new_page()
    page.goto("/sign-in")
    page.get_by_label("Username or e-mail").fill(f"nobody-{secrets.token_hex(3)}")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Wrong username or password")
    expect(page.get_by_label("Username or e-mail")).to_be_editable()


@pytest.mark.parametrize(
    "path", ["/nothing/here", f"/containers/{MISSING}", f"/hosts/{MISSING}", f"/orders/{MISSING}", "/images/not-an-id"]
)
def test_what_does_not_exist(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", name="Not found, or you have no access")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_be_attached()


def test_the_form_says_what_is_malformed(lab: Lab, page: Page, name: str) -> None:
    """By the page itself, before anything is sent."""
    page.goto("/volumes/new")
    choose_host(page, lab.hosts["web-1"])
    page.get_by_label("Name", exact=True).fill("no spaces, please")
    page.get_by_role("button", name="Create volume").click()
    expect_problem(page, "Name", re.compile("^A name begins with"))
    assert lab.api("GET", "volumes/?search=please")["count"] == 0


def test_the_server_s_pointer_lands_on_the_field(lab: Lab, page: Page, name: str) -> None:
    page.goto("/networks/new")
    choose_host(page, lab.hosts["web-1"])
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Subnet", exact=True).fill("10.99.0.0/24")
    page.get_by_label("Gateway", exact=True).fill("10.98.0.1")
    page.get_by_role("button", name="Create network").click()
    expect_problem(page, "Gateway", re.compile(r"^10\.98\.0\.1 is no address inside"))
    page.goto("/images/pull")
    page.get_by_label("Image", exact=True).fill("UPPER/Case:1")
    choose_host(page, lab.hosts["web-1"])
    page.get_by_role("button", name="Pull image", exact=True).click()
    expect_problem(page, "Image", re.compile("is not an image reference"))
    assert lab.api("GET", f"networks/?name={name}")["count"] == 0


def test_a_credential_is_asked_for_again_on_retry(lab: Lab, page: Page, name: str) -> None:
    reference = f"{CONTROL_PLANE}:1/{name}:1"
    page.goto("/images/pull")
    page.get_by_label("Image", exact=True).fill(reference)
    choose_host(page, lab.hosts["web-1"])
    page.locator("summary").filter(has_text="Options").click()
    page.get_by_label("Registry user").fill("ann")
    page.get_by_label("Registry password").fill("canary-9")
    page.get_by_role("button", name="Pull image", exact=True).click()
    expect(page.get_by_role("status", name="Order: failed")).to_be_visible(timeout=60 * SECONDS)
    first = page.url
    page.get_by_role("button", name="Retry", exact=True).click()
    dialog = page.get_by_role("dialog", name="Retry with a credential")
    dialog.get_by_role("button", name="Retry", exact=True).click()
    expect(dialog.get_by_label("Registry user")).to_have_accessible_description("Name the user")
    dialog.get_by_label("Registry user").fill("ann")
    dialog.get_by_label("Registry password").fill("canary-9")
    dialog.get_by_role("button", name="Retry", exact=True).click()
    expect(page).not_to_have_url(first)
    order = lab.api("GET", f"orders/{page.url.rsplit('/', 1)[1]}/")
    assert (order["op"], order["with_credential"]) == ("image.pull", True)
