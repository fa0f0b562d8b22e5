"""Health, ready, summary, search, the API's document and page, the dashboard's page."""

from pathlib import Path

import pytest
from django.test import Client

from controlplane.hosts.models import Host, HostState
from tests.controlplane import cast

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[3]


def test_health_and_ready() -> None:
    assert Client().get("/api/health/").json()["status"] == "ok"
    ready = Client().get("/api/ready/")
    assert ready.status_code == 200
    assert [check["name"] for check in ready.json()["checks"]] == ["database", "redis", "disk"]


def test_summary_puts_the_worst_first(api: cast.Api, host: Host) -> None:
    assert api("GET", "summary/").data["attention"] == []
    cast.running(host, name="fine")
    cast.running(host, name="oom", state="exited", exit_code=137, oom_killed=True)
    cast.running(host, name="ill", health="unhealthy")
    Host.objects.create(
        name="far", state=HostState.OFFLINE, offline_reason="connection reset", disk={"total": 100, "used": 90}
    )
    told = api("GET", "summary/").data
    kinds = [(one["kind"], one["name"]) for one in told["attention"]]
    assert kinds == [("oom", "oom"), ("host_offline", "far"), ("unhealthy", "ill"), ("disk", "far")]
    assert told["containers"] == {"running": 2, "exited": 1}
    assert told["hosts"] == {"online": 1, "offline": 1}


def test_a_failed_order_is_there_until_it_was_retried(api: cast.Api, host: Host) -> None:
    order = api("POST", f"containers/{cast.running(host).pk}/stop/").data
    cast.ends(order["id"], "failed", problem={"code": "x", "status": 500, "detail": "broke"})
    told = api("GET", "summary/").data["attention"]
    assert [(one["op"], one["name"], one["detail"]) for one in told] == [("container.stop", "db", "broke")]
    api("POST", f"orders/{order['id']}/retry/")
    assert api("GET", "summary/").data["attention"] == []


@pytest.mark.parametrize("words", ["db", "postgres", "e" * 12, "data", "172.17.0.2", "5432"])
def test_search(api: cast.Api, host: Host, words: str) -> None:
    row = cast.running(host, engine_id="e" * 64)
    groups = {group["type"]: group["results"] for group in api("GET", f"search/?q={words}").data["groups"]}
    assert [hit["id"] for hit in groups["container"]] == [str(row.pk)]


def test_the_page_of_the_api() -> None:
    page = Client().get("/api/docs/")
    assert "/api/containers/{id}/stop/" in page.content.decode()
    assert "script-src 'self'" in page["Content-Security-Policy"]


def test_the_dashboards_page(settings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "index.html").write_text('<html data-theme="system"></html>')
    settings.FRONTEND_DIST = tmp_path
    client = Client()
    client.cookies["longshore_theme"] = "dark"
    answer = client.get("/containers/new")
    assert 'data-theme="dark"' in answer.content.decode()
    assert "csrftoken" in answer.cookies
    client.cookies["longshore_theme"] = '"><script>'
    assert "script" not in client.get("/").content.decode()


def test_a_problem_has_a_page() -> None:
    assert b"missing_right" in Client().get("/problems/missing_right/").content
