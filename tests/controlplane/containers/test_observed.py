"""Reports write the reporting host's rows and no others; what is not there any more is kept as removed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from controlplane.containers.models import Container
from controlplane.containers.services.exits import exit_recorded
from controlplane.containers.services.observed import containers_gone, containers_observed, containers_swept
from controlplane.hosts.models import Host, Use
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


def test_it_works(api: cast.Api, host: Host) -> None:
    row = cast.running(host)
    shown = api("GET", f"containers/{row.pk}/").data
    assert shown["image"] == {"reference": "postgres:16", "digest": "sha256:aa"}
    assert shown["ports"] == [{"container_port": 5432, "protocol": "tcp", "host_ip": "", "host_port": 5432}]
    assert shown["created_at"].startswith("2026-01-02T03:04:05.123456")
    assert shown["exit_code"] is None
    assert shown["limits"] == {"Memory": 1 << 20}
    assert set(Use.objects.values_list("kind", "key")) == {
        ("image", "sha256:aa"), ("volume", "db-data"), ("network", "n" * 64),
    }  # fmt: skip


def test_the_same_again_keeps_the_version(host: Host) -> None:
    item = cast.report()
    containers_observed(host=host, items=[item])
    containers_observed(host=host, items=[item])
    assert Container.objects.get().version == 1
    containers_observed(host=host, items=[cast.report(state="exited", exit_code=137, oom_killed=True)])
    row = Container.objects.get()
    assert (row.version, row.exit_code, row.attention) == (2, 137, 0)


def test_a_label_never_chooses_another_hosts_row(host: Host) -> None:
    other = cast.online_host("web-2")
    mine = cast.running(host)
    containers_observed(host=other, items=[cast.report("f" * 64, longshore_id=str(mine.pk), name="stolen")])
    mine.refresh_from_db()
    assert (mine.name, Container.objects.filter(host=other).count()) == ("db", 1)


def test_a_label_that_an_image_handed_on(host: Host) -> None:
    mine = cast.running(host)
    containers_observed(host=host, items=[cast.report("f" * 64, longshore_id=str(mine.pk), name="copy")])
    assert Container.objects.count() == 2


def test_gone_and_swept(host: Host) -> None:
    one, two = cast.running(host), cast.running(host)
    containers_gone(host=host, engine_ids=[one.engine_id])
    assert Container.objects.get(pk=one.pk).removed_at is not None
    containers_swept(host=host, since=timezone.now() + timedelta(seconds=1))
    assert Container.objects.get(pk=two.pk).state == "removed"
    assert not Use.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"state": "<script>"}, {"exit_code": 1 << 80}, {"labels": {"a": "\0"}}, {"name": "\0" * 9},
        {"ports": "x"}, {"ports": [{"a": 1}]}, {"networks": ["x"]}, {"created_at": "yesterday"}, {"restart_count": -5},
        {"mounts": [1]},
        {"networks": {"a": "b"}}, {"health_log": {}}, {"inspect": None}, {"command": "x" * 10_000},
    ],
)  # fmt: skip
def test_nonsense_does_no_harm(api: cast.Api, host: Host, change: dict[str, object]) -> None:
    row = cast.running(host, **change)
    assert api("GET", "containers/").status_code == 200
    assert api("GET", f"containers/{row.pk}/").status_code == 200
    assert row.state in {"created", "running"}


def test_last_exit_names_who_stopped_it(api: cast.Api, host: Host) -> None:
    row = cast.running(host)
    order = api("POST", f"containers/{row.pk}/stop/").data
    from controlplane.orders.results import order_running

    order_running(host.pk, order["id"], "2026-01-02T03:10:00Z")
    told = {
        "code": 137, "oom_killed": False, "error": "", "started_at": "2026-01-02T03:04:06Z",
        "finished_at": "2026-01-02T03:10:01Z", "log_tail": [["2026-01-02T03:10:00Z", "o", "bye"]],
    }  # fmt: skip
    exit_recorded(container=row, event={"at": "2026-01-02T03:10:01Z", "exit": told})
    shown = api("GET", f"containers/{row.pk}/").data["last_exit"]
    assert (shown["code"], shown["signal"], shown["ran_for"]) == (137, 9, 355.0)
    assert shown["order"] == {"id": order["id"], "op": "container.stop"}
    assert shown["actor"]["name"].startswith("ada")
    assert shown["log_tail"] == [["2026-01-02T03:10:00Z", "o", "bye"]]


def test_env_is_masked_without_the_right(api: cast.Api, viewer: object, host: Host) -> None:
    row = cast.running(host)
    seen = api("GET", f"containers/{row.pk}/inspect/").data
    assert (seen["live"], seen["inspect"]["Config"]["Env"]) == (False, ["PASSWORD=hunter2"])
    masked = cast.Api(viewer)("GET", f"containers/{row.pk}/inspect/")  # type: ignore[arg-type]
    assert "hunter2" not in masked.content.decode()
    assert cast.Api(viewer)("GET", f"containers/{row.pk}/top/").status_code == 503  # type: ignore[arg-type]
