"""Bad input at the API: a clear error that names object and cure, and nothing half done."""

import datetime as dt
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import busybox
from tests.lab import CONTROL_PLANE, Lab, LabHost


@pytest.fixture
def name() -> str:
    return f"bad-{secrets.token_hex(3)}"


def failed(lab: Lab, method: str, path: str, body: Any = None, wait: int = 30) -> dict[str, Any]:
    """A request that must end as a problem; answers the problem."""
    answer = lab.request(method, path, body, headers={"Prefer": f"wait={wait}"})
    assert answer.status_code >= 400, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "instance"} <= set(problem)
    return problem


def create(host: LabHost, name: str, **more: Any) -> dict[str, Any]:
    return {"host": host.id, "image": "busybox", "name": name, "start": True, "pull": "never"} | more


def test_an_unknown_image_leaves_no_container(lab: Lab, name: str) -> None:
    web = lab.hosts["web-1"]
    problem = failed(lab, "POST", "containers/", create(web, name, image="nowhere/nothing:1"))
    assert problem["status"] == 404
    assert "nowhere/nothing:1" in problem["detail"]
    assert web.docker("ps", "-aq", "--filter", f"name={name}").stdout == ""


def test_a_taken_name_is_a_conflict(lab: Lab, name: str) -> None:
    web = lab.hosts["web-1"]
    first = web.docker("create", "--name", name, "busybox").stdout.strip()
    problem = failed(lab, "POST", "containers/", create(web, name))
    assert (problem["status"], name in problem["detail"]) == (409, True)
    assert web.docker("inspect", "-f", "{{.Id}}", name).stdout.strip() == first


def test_a_taken_port_is_named(lab: Lab, name: str) -> None:
    web = lab.hosts["web-1"]
    web.docker("run", "-d", "--name", name, "-p", "18080:80", "busybox", "sleep", "600")
    spec = {"Cmd": ["sleep", "60"], "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "18080"}]}}}
    problem = failed(lab, "POST", "containers/", create(web, f"{name}-2", spec=spec))
    assert "18080" in problem["detail"]
    assert "running" not in web.docker("ps", "-a", "--filter", f"name={name}-2", "--format", "{{.State}}").stdout
    web.docker("rm", "-f", name)


def test_no_such_host(lab: Lab, name: str) -> None:
    missing = "00000000-0000-7000-8000-000000000000"
    body = {"host": missing, "image": "busybox", "name": name}
    answer = lab.request("POST", "containers/", body)
    assert answer.status_code in (400, 404)
    assert missing in answer.text


def test_an_order_to_an_offline_host_waits_then_expires(lab: Lab, name: str) -> None:
    edge = lab.hosts["edge-1"]
    edge.stop()
    lab.until(lambda: lab.api("GET", f"hosts/{edge.id}/")["state"] == "offline", "edge-1 offline", 60)
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=6)).isoformat()
    try:
        answer = lab.request("POST", "containers/", create(edge, name, not_after=soon), headers={"Prefer": "wait=5"})
        assert (answer.status_code, answer.json()["waiting_for"]) == (202, "host")
        order = answer.json()["id"]
        lab.until(lambda: lab.api("GET", f"orders/{order}/")["state"] == "expired", "the order expired", 60)
    finally:
        edge.start()
        lab.wait_online(edge)
    assert edge.docker("ps", "-aq", "--filter", f"name={name}").stdout == ""


@pytest.fixture
def small(lab: Lab) -> Iterator[LabHost]:
    """A host whose data root holds 64 MiB."""
    name = f"small-{secrets.token_hex(2)}"
    image, state = lab.root / f"{name}.ext4", lab.root / "hosts" / name
    state.mkdir(parents=True)
    subprocess.run(["truncate", "-s", "64M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, state], check=True)
    try:
        host = lab.add_host(name)
        busybox.import_into(host.socket)
        yield host
        host.stop()
        lab.forget(host)
    finally:
        subprocess.run(["umount", "-l", state], check=False)


def test_a_full_disk_is_said_and_recovers(lab: Lab, small: LabHost, name: str) -> None:
    web, reference = lab.hosts["web-1"], f"{lab.registry}/{name}:1"
    dockerfile = "FROM busybox\nRUN dd if=/dev/urandom of=/big bs=1M count=100\n"
    lab.order("POST", "images/build/", {"hosts": [web.id], "dockerfile_text": dockerfile, "tags": [reference]})
    image = lab.first(f"images/?search={name}")
    lab.order("POST", f"images/{image['id']}/push/", {"reference": reference, "hosts": [web.id]})
    problem = failed(lab, "POST", "images/pull/", {"hosts": [small.id], "reference": reference})
    assert problem["status"] == 507
    assert "no space" in problem["detail"].lower()
    assert small.docker("images", "-q", reference).stdout == ""
    lab.order("POST", "containers/", create(small, name, spec={"Cmd": ["sleep", "600"]}))
    assert small.docker("inspect", "-f", "{{.State.Running}}", name).stdout.strip() == "true"


def test_a_registry_that_is_down_is_named(lab: Lab) -> None:
    reference = f"{CONTROL_PLANE}:5999/app:1"
    problem = failed(lab, "POST", "images/pull/", {"hosts": [lab.hosts["web-1"].id], "reference": reference}, wait=60)
    assert problem["status"] >= 500
    assert f"{CONTROL_PLANE}:5999" in problem["detail"]


def test_a_wrong_password_says_no_more_than_that(lab: Lab) -> None:
    def sign_in(user: str) -> requests.Response:
        with lab.inside():
            session, ca = requests.Session(), str(lab.data / "tls/ca.pem")
            base = f"https://{lab.registry}"
            session.get(f"{base}/api/auth/browser/v1/config", timeout=10, verify=ca)
            headers = {"X-CSRFToken": session.cookies.get("csrftoken", ""), "Referer": base}
            body = {"username": user, "password": "wrong " + secrets.token_hex(4)}
            return session.post(
                f"{base}/api/auth/browser/v1/auth/login", json=body, headers=headers, timeout=10, verify=ca
            )

    known, unknown = sign_in("admin"), sign_in(f"nobody-{secrets.token_hex(3)}")
    assert known.status_code == unknown.status_code == 400
    assert known.json()["errors"] == unknown.json()["errors"]


def test_malformed_json_and_unknown_fields(lab: Lab) -> None:
    with lab.inside():
        answer = requests.post(
            f"https://{lab.registry}/api/volumes/", data=b'{"name": ', timeout=10,
            headers={"Authorization": f"Bearer {lab.token}", "Content-Type": "application/json"},
            verify=str(lab.data / "tls/ca.pem"),
        )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    problem = failed(lab, "POST", "volumes/", {"host": lab.hosts["web-1"].id, "name": "x", "colour": "red"})
    assert problem["status"] == 400
    assert problem["errors"][0]["pointer"] == "/colour"
    assert failed(lab, "GET", "containers/?colour=red")["status"] == 400


def test_evidence_of_nothing_left(lab: Lab) -> None:
    temporary = Path(lab.hosts["web-1"].state / "engine" / "tmp")
    assert [p for p in temporary.rglob("*") if p.is_file()] == []
