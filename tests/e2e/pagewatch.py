"""A dashboard page that stays open while things die: what it said and when, and whether it came back by itself."""

import threading
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tests.e2e.browser import chromium, new_context, sign_in
from tests.lab import Lab

# Every change of what the page says of itself is kept, so that none is too short to be seen.
RECORD = """() => {
    window.said = []
    const look = () => {
        const words = (found) => [...document.querySelectorAll(found)].map((one) => one.textContent)
        const now = {
            live: document.documentElement.dataset.live,
            words: words('[role=status], [role=alert]'),
            rows: words('tbody tr'),
        }
        const text = JSON.stringify(now)
        if (text !== window.last) window.said.push({ at: Date.now() / 1000, ...now })
        window.last = text
    }
    const what = { subtree: true, childList: true, characterData: true, attributes: true }
    new MutationObserver(look).observe(document, what)
    look()
}"""


def record(page: Page) -> None:
    """Begin to keep what the page says."""
    page.evaluate(RECORD)


def said(page: Page) -> list[dict[str, Any]]:
    """All that it said; fails where the page was loaded anew meanwhile."""
    found: list[dict[str, Any]] | None = page.evaluate("() => window.said")
    assert found is not None, "the page was loaded anew"
    return found


def is_stale(row: str) -> bool:
    """Whether a row says that it is what was last reported."""
    return "as of " in row


class PageWatch(threading.Thread):
    """Keeps the list of containers open, narrowed to a search, until ``finish()``."""

    def __init__(self, lab: Lab, search: str, rows: int) -> None:
        super().__init__(daemon=True)
        self.lab, self.search, self.rows = lab, search, rows
        self.said: list[dict[str, Any]] = []
        self.recovered_in = float("inf")
        self.failure: BaseException | None = None
        self._open, self._ending = threading.Event(), threading.Event()

    def run(self) -> None:
        """Watch; once told to finish, wait until all is fresh."""
        try:
            with chromium(self.lab) as browser:
                page = sign_in(new_context(browser))
                page.goto(f"/containers?search={self.search}")
                _poll(page, lambda: len(said_now(page)["rows"]) == self.rows, 30)
                record(page)
                self._open.set()
                while not self._ending.is_set():
                    page.wait_for_timeout(250)
                began = time.monotonic()
                if _poll(page, lambda: self._fresh(said_now(page)), 30):
                    self.recovered_in = time.monotonic() - began
                self.said = said(page)
        except BaseException as failure:
            self.failure = failure
            raise
        finally:
            self._open.set()

    def opened(self) -> "PageWatch":
        """Start, and answer once the page is there."""
        self.start()
        assert self._open.wait(90), "the page did not open"
        return self

    def finish(self) -> None:
        """All is whole again: the page must find that out by itself."""
        self._ending.set()
        self.join(60)
        assert self.failure is None, self.failure

    def _fresh(self, now: dict[str, Any]) -> bool:
        return now["live"] == "connected" and len(now["rows"]) == self.rows and not any(map(is_stale, now["rows"]))


def said_now(page: Page) -> dict[str, Any]:
    """What it says at this moment."""
    if page.evaluate("() => window.said === undefined"):
        record(page)
    return said(page)[-1]


def _poll(page: Page, what: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        page.wait_for_timeout(100)
    return True
