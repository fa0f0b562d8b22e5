"""First light, as a person sees it: from "Add host" to a terminal in a container on another host.

Every step is a press in Chromium, but for what the story itself does in a shell: the pasted line on the new host and
``docker build`` and ``docker push`` by the real CLI.
"""

import re
import secrets
import subprocess

from playwright.sync_api import Page, expect

from tests.e2e.browser import chromium, new_context, sign_in
from tests.lab import PASSWORD, Lab

SECONDS = 1000


def test_from_add_host_to_removed(lab: Lab) -> None:
    tag = secrets.token_hex(3)
    reference = f"{lab.registry}/story:{tag}"
    name = f"story-{tag}"
    with chromium(lab) as browser:
        page = sign_in(new_context(browser))
        host = _add_host(lab, page, f"new-{tag}")
        _build_and_push(lab, tag, reference)
        _pull(page, reference, host)
        _create(page, reference, host, name)
        _logs(page, tag)
        _terminal(page, name, tag)
        _stats(page)
        _stop_and_remove(page, name)


def _add_host(lab: Lab, page: Page, name: str) -> str:
    host = lab.add_host(name, enrol=False)
    page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("^Hosts")).click()
    page.get_by_role("link", name="Add host").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create join command").click()
    join = page.get_by_role("textbox", name="Join command")
    expect(join).not_to_be_empty()
    found = re.search(r"https://\S+#\S+#[^\s'\"]+", join.input_value())
    assert found, join.input_value()
    host.enrol(found[0])
    host.start()
    expect(page.get_by_role("status").filter(has_text="Host connected")).to_be_visible(timeout=15 * SECONDS)
    lab.wait_online(host)
    return name


def _build_and_push(lab: Lab, tag: str, reference: str) -> None:
    web = lab.hosts["web-1"]
    script = f"for i in $(seq 500); do echo line $i {tag}; sleep 0.2; done"
    dockerfile = f'FROM busybox\nRUN echo {tag} > /tag\nCMD ["sh", "-c", "{script}"]\n'
    web.docker("build", "-t", reference, "-", input=dockerfile)
    web.docker("login", "-u", "admin", "--password-stdin", lab.registry, input=PASSWORD)
    web.docker("push", reference)


def _pull(page: Page, reference: str, host: str) -> None:
    page.goto("/images")
    page.get_by_role("link", name="Pull image").click()
    page.get_by_label("Image", exact=True).fill(reference)
    _choose(page, "Host", host)
    page.get_by_role("button", name="Pull image").click()
    expect(page.get_by_role("status").filter(has_text="Order: done")).to_be_visible(timeout=30 * SECONDS)


def _create(page: Page, reference: str, host: str, name: str) -> None:
    page.goto("/containers")
    page.get_by_role("link", name="Create container").click()
    _choose(page, "Host", host)
    page.get_by_role("combobox", name="Image").fill(reference)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create container").click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible(timeout=15 * SECONDS)
    expect(page.get_by_role("status", name=re.compile("^State: running")).first).to_be_visible(timeout=15 * SECONDS)


def _logs(page: Page, tag: str) -> None:
    page.get_by_role("tab", name="Logs").click()
    lines = page.get_by_test_id("log-line")
    expect(lines.filter(has_text=f"line 1 {tag}").first).to_be_visible(timeout=10 * SECONDS)
    last = lines.last.inner_text()
    expect(lines.last).not_to_have_text(last)


def _terminal(page: Page, name: str, tag: str) -> None:
    page.get_by_role("tab", name="Terminal").click()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Connected")).to_be_visible(timeout=10 * SECONDS)
    page.get_by_role("region", name=f"Terminal of {name}").locator("textarea").focus()
    page.keyboard.type("cat /tag; echo $((6*7))-answer\n")
    expect(page.get_by_test_id("terminal")).to_contain_text("42-answer", timeout=10 * SECONDS)
    expect(page.get_by_test_id("terminal")).to_contain_text(tag)


def _stats(page: Page) -> None:
    page.get_by_role("tab", name="Stats").click()
    for chart in ("chart-cpu", "chart-memory"):
        expect(page.get_by_test_id(chart)).to_be_visible()
    expect(page.get_by_test_id("chart-memory").get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"now [\d.]+"), timeout=15 * SECONDS
    )


def _stop_and_remove(page: Page, name: str) -> None:
    page.get_by_role("tab", name="Overview").click()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("status", name=re.compile("^State: exited")).first).to_be_visible(timeout=30 * SECONDS)
    page.get_by_role("button", name="Remove", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Remove {name}?")
    dialog.get_by_role("button", name="Remove", exact=True).click()
    page.goto("/containers")
    expect(page.get_by_role("heading", level=1, name="Containers")).to_be_visible()
    expect(page.get_by_role("status", name=re.compile(r"^\d+ containers?$")).first).to_be_visible()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0, timeout=15 * SECONDS)


def _choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=re.compile(f"^{re.escape(option)}")).first.click()


def test_the_docker_cli_is_the_real_one() -> None:
    assert (
        "Docker version" in subprocess.run(["docker", "--version"], capture_output=True, text=True, check=True).stdout
    )
