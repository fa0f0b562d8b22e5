"""Kills seen from the dashboard: it says what is stale and how old, and is whole again by itself, without a reload.

``LONGSHORE_CHAOS_ORDERS=300`` asks for the long form, as in ``test_chaos.py``.
"""

import os
import re
import secrets
import signal
import subprocess
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browser import chromium, new_context, sign_in
from tests.e2e.chaos import agent_part, control_plane_part
from tests.e2e.pagewatch import record, said
from tests.lab import Lab, LabHost

TIMES = 5 if int(os.environ.get("LONGSHORE_CHAOS_ORDERS", "60")) >= 300 else 1
HEALED_WITHIN = 10.0
SLACK = 5.0
AGE = re.compile(r"as of (now|\d+ (s|min) ago)")


def _kill_agent(host: LabHost) -> None:
    """Agent, engine and link at once; the container lives."""
    assert host.process
    for pid in (host.process.pid, agent_part(host, "engine"), agent_part(host, "link")):
        if pid:
            os.kill(pid, signal.SIGKILL)
    host.process.wait(10)


def _supervisorctl(lab: Lab, *words: str) -> None:
    control = ["-c", str(lab.data / "run/supervisord.conf"), *words]
    subprocess.run([lab.python, "-m", "supervisor.supervisorctl", *control], capture_output=True, check=False)


def _healed(began: float, row: Locator, words: str) -> float:
    """Wait until the row is fresh and says the words; how long that took since something healed."""
    expect(row).to_contain_text(words, timeout=30_000)
    expect(row).not_to_contain_text("as of", timeout=30_000)
    return time.monotonic() - began


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_the_page_says_what_is_stale_and_recovers_by_itself(lab: Lab) -> None:
    name, host = f"seen-{secrets.token_hex(3)}", lab.hosts["web-1"]
    host.docker("run", "-d", "--name", name, "busybox", "sleep", "3000")
    lab.first(f"containers/?name={name}&state=running")
    with chromium(lab) as browser:
        page = sign_in(new_context(browser))
        page.goto(f"/containers?search={name}")
        row = page.get_by_role("table", name="Containers").get_by_role("row").filter(has_text=name)
        expect(row).to_contain_text("running")
        record(page)
        took: list[float] = []
        for _ in range(TIMES):
            took += [_link_dies(lab, host, page, row), _web_dies(lab, host, page, row, name)]
        assert max(took) < HEALED_WITHIN + SLACK, took
        assert said(page)
    host.docker("rm", "-f", name)


def _link_dies(lab: Lab, host: LabHost, page: Page, row: Locator) -> float:
    _kill_agent(host)
    away = page.get_by_role("status", name="Hosts that are away")
    expect(away).to_contain_text(f"{host.name} is offline.")
    expect(away).to_contain_text(re.compile(r"lost (now|\d+ (s|min) ago), "))
    expect(row).to_contain_text(AGE)
    host.start()
    lab.wait_online(host, 60)
    took = _healed(time.monotonic(), row, "running")
    expect(away).to_have_count(0)
    return took


def _web_dies(lab: Lab, host: LabHost, page: Page, row: Locator, name: str) -> float:
    live, connection = page.locator("html"), page.get_by_role("status").filter(has_text="Reconnecting…").first
    pid = control_plane_part(lab, "web")
    _supervisorctl(lab, "stop", "web")
    assert pid != control_plane_part(lab, "web")
    expect(live).to_have_attribute("data-live", "reconnecting")
    expect(connection).to_be_visible()
    expect(page.get_by_text(re.compile(r"data from \d\d:\d\d:\d\d"))).to_be_visible()
    # what happens meanwhile is not shown, and is seen afterwards
    host.docker("pause", name)
    _supervisorctl(lab, "start", "web")
    lab.until(lambda: _ready(lab), "web answers", 60)
    lab.wait_online(host, 60)
    began = time.monotonic()
    expect(live).to_have_attribute("data-live", "connected", timeout=30_000)
    took = _healed(began, row, "paused")
    host.docker("unpause", name)
    expect(row).to_contain_text("running")
    return took


def _ready(lab: Lab) -> bool:
    try:
        return lab.request("GET", "ready/").status_code == 200
    except OSError:
        return False
