"""Debian's Chromium by Playwright, inside the lab's namespace, signed in as the administrator."""

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.lab import PASSWORD, URL, Lab

CHROMIUM = "/usr/bin/chromium"
# Playwright waits 5 s; a fleet and two browsers on two cores may want more. What is there at once costs no time.
expect.set_options(timeout=15_000)
# Without these Chromium looks for its maker's servers at every start.
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextlib.contextmanager
def chromium(lab: Lab) -> Iterator[Browser]:
    """A browser that was born in the control plane's namespace and sees nothing else."""
    with lab.inside(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


def new_context(browser: Browser, *, width: int = 1440, height: int = 900, dark: bool = False) -> BrowserContext:
    """A fresh profile of one width and theme. The lab's CA is private, so the certificate is not asked for."""
    return browser.new_context(
        base_url=URL, ignore_https_errors=True, viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light", accept_downloads=True,
    )  # fmt: skip


def sign_in(context: BrowserContext, user: str = "admin", password: str = PASSWORD) -> Page:
    """Sign in by the form and wait until the page is live."""
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Username or e-mail").fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-live", "connected")
    return page
