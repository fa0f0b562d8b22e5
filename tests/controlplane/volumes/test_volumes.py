"""Volumes: a record at once, data that dies only after its name was repeated."""

import pytest
from django.utils import timezone

from controlplane.accounts.models import User
from controlplane.hosts.models import Host
from controlplane.orders.models import Order
from controlplane.volumes.models import Volume
from controlplane.volumes.services import volumes_observed, volumes_swept
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


def seen(host: Host, name: str = "db-data") -> Volume:
    item = {"name": name, "longshore_id": "", "driver": "local", "mountpoint": "/v", "options": {}, "labels": {}}
    volumes_observed(host=host, items=[item])
    return Volume.objects.get(host=host, name=name)


def test_it_works(api: cast.Api, host: Host) -> None:
    order = api("POST", "volumes/", {"host": "web-1", "name": "db-data", "labels": {"a": "b"}}).data
    ident = order["target"]["id"]
    assert api("GET", f"volumes/{ident}/").data["state"] == "creating"
    cast.ends(order["id"], result={"name": "db-data", "mountpoint": "/v/db-data"})
    cast.running(host)
    row = api("GET", f"volumes/{ident}/").data
    assert (row["state"], row["mountpoint"]) == ("present", "/v/db-data")
    assert [(user["name"], user["path"]) for user in row["used_by"]] == [("db", "/data")]
    assert api("GET", "volumes/?unused=true").data["count"] == 0
    assert api("POST", "volumes/", {"host": "web-1", "name": "db-data"}).status_code == 409


def test_without_a_name_it_gets_one(api: cast.Api, host: Host) -> None:
    assert len(api("POST", "volumes/", {"host": "web-1"}).data["target"]["name"]) == 64


def test_its_name_must_be_repeated(api: cast.Api, host: Host) -> None:
    volume = seen(host)
    refused = api("DELETE", f"volumes/{volume.pk}/")
    assert (refused.status_code, refused.data["code"]) == (400, "confirm_required")
    order = api("DELETE", f"volumes/{volume.pk}/?confirm=db-data").data
    assert order["op"] == "volume.remove"
    cast.ends(order["id"])
    assert not Volume.objects.exists()


def test_a_failure_is_shown_until_dismissed(api: cast.Api, host: Host) -> None:
    order = api("POST", "volumes/", {"host": "web-1", "name": "x1", "driver": "nfs"}).data
    cast.ends(order["id"], "failed", problem={"code": "x", "status": 404, "detail": "no such driver"})
    row = api("GET", f"volumes/{order['target']['id']}/").data
    assert (row["state"], row["problem"]["detail"]) == ("creation_failed", "no such driver")
    assert api("DELETE", f"volumes/{row['id']}/").status_code == 204


@pytest.mark.parametrize(
    "options",
    [
        {"type": "none", "o": "bind", "device": "/etc"}, {"type": "none", "o": "rbind,ro", "device": "etc"},
        {"type": "tmpfs", "o": "bind", "device": "etc"}, {"type": "overlay", "device": "x", "o": "lowerdir=/etc:/"},
        {"type": "proc", "device": "proc"}, {"type": "cgroup", "device": "x"}, {"type": "ext4", "device": "LABEL=x"},
        {"device": "etc"}, {"o": "bind"},
    ],
)  # fmt: skip
def test_what_reaches_the_host_needs_privileged(owner: User, host: Host, options: dict[str, str]) -> None:
    api = cast.Api(owner, scopes=["volumes.manage", "volumes.view", "hosts.view"])
    answer = api("POST", "volumes/", {"host": "web-1", "name": "etc", "options": options})
    assert (answer.status_code, answer.data["params"]["right"]) == (403, "containers.privileged")
    assert not Order.objects.exists()


def test_options_of_a_plugin_need_privileged(owner: User, host: Host) -> None:
    api = cast.Api(owner, scopes=["volumes.manage", "volumes.view", "hosts.view"])
    body = {"host": "web-1", "name": "etc", "driver": "rclone"}
    answer = api("POST", "volumes/", {**body, "options": {"remote": ":local:/etc"}})
    assert (answer.status_code, answer.data["params"]["right"]) == (403, "containers.privileged")
    assert api("POST", "volumes/", body).status_code == 202


@pytest.mark.parametrize(
    "options",
    [{}, {"size": "1g"}, {"type": "tmpfs", "device": "tmpfs", "o": "size=10m,uid=1000"},
     {"type": "nfs", "device": ":/srv", "o": "addr=192.0.2.1,rw"}],
)  # fmt: skip
def test_what_does_not_reach_the_host_needs_no_more(owner: User, host: Host, options: dict[str, str]) -> None:
    api = cast.Api(owner, scopes=["volumes.manage", "volumes.view", "hosts.view"])
    assert api("POST", "volumes/", {"host": "web-1", "name": "data", "options": options}).status_code == 202


def test_swept(api: cast.Api, host: Host) -> None:
    seen(host)
    creating = api("POST", "volumes/", {"host": "web-1", "name": "later"}).data
    volumes_swept(host=host, since=timezone.now())
    assert [row["id"] for row in api("GET", "volumes/").data["results"]] == [creating["target"]["id"]]
