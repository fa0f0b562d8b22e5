"""What is changed in a dialog: a host's name and labels, an image's names. Pictures go to ``LONGSHORE_SHOTS``."""

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import chromium, new_context, sign_in
from tests.e2e.test_pages import SHOTS
from tests.lab import Lab


@pytest.fixture(scope="module")
def browser(lab: Lab) -> Iterator[Browser]:
    with chromium(lab) as browser:
        yield browser


@pytest.fixture(params=[(1440, False), (390, True)], ids=["wide", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, dark = request.param
    context = new_context(browser, width=width, height=900 if width > 640 else 844, dark=dark)
    yield sign_in(context)
    context.close()


def picture(page: Page, name: str) -> None:
    if SHOTS:
        width = (page.viewport_size or {})["width"]
        page.screenshot(path=f"{SHOTS}/{name}-{width}.png")


def test_a_host_is_renamed_and_labelled(lab: Lab, page: Page) -> None:
    host, tag = lab.hosts["old-1"], secrets.token_hex(3)
    page.goto(f"/hosts/{host.id}")
    page.get_by_role("button", name="Edit", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Edit {host.name}")
    dialog.get_by_label("Name", exact=True).fill("Not A Name")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("lower-case letters")
    picture(page, "host-edit-refused")
    dialog.get_by_label("Name", exact=True).fill(f"old-{tag}")
    dialog.get_by_role("button", name="Add label").click()
    dialog.get_by_label("Key").last.fill("rack")
    dialog.get_by_label("Value").last.fill(tag)
    try:
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1, name=f"old-{tag}", exact=True)).to_be_visible()
        expect(page.get_by_text(f"rack={tag}")).to_be_visible()
        picture(page, "host-edited")
    finally:
        lab.api("PATCH", f"hosts/{host.id}/", {"name": host.name, "labels": {}})
    expect(page.get_by_role("heading", level=1, name=host.name, exact=True)).to_be_visible()


def test_an_image_gets_a_name_and_is_pushed(lab: Lab, page: Page) -> None:
    web, tag = lab.hosts["web-1"], secrets.token_hex(3)
    reference = f"{lab.registry}/named-{tag}:1"
    lab.order("POST", f"hosts/{web.id}/refresh/", {})
    page.goto(f"/images/{lab.first(f'images/?search=busybox&host={web.name}')['id']}")
    page.get_by_role("button", name="Tag", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New name").fill(reference)
    dialog.get_by_label("Host").select_option(label=web.name)
    picture(page, "image-tag")
    dialog.get_by_role("button", name="Tag", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("complementary", name="Facts").get_by_text(reference)).to_be_visible()
    page.get_by_role("button", name="Push", exact=True).click()
    dialog.get_by_label("Name", exact=True).select_option(label=reference)
    dialog.get_by_label("Host").select_option(label=web.name)
    picture(page, "image-push")
    dialog.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_role("status", name="Order: done")).to_be_visible(timeout=60_000)
    assert lab.first(f"repositories/?name=named-{tag}")["name"] == f"named-{tag}"
    web.docker("rmi", reference)
