"""Verbs, one and many: an order, a wish, and a state that only reports write."""

import uuid

import pytest

from controlplane.hosts.models import Host
from controlplane.orders.models import Order
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill", "pause", "unpause"])
def test_it_works(api: cast.Api, host: Host, verb: str) -> None:
    container = cast.running(host)
    answer = api("POST", f"containers/{container.pk}/{verb}/", {})
    assert (answer.status_code, answer.data["op"]) == (202, f"container.{verb}")
    row = api("GET", f"containers/{container.pk}/").data
    assert row["state"] == "running"
    assert row["pending_order"]["op"] == f"container.{verb}"
    assert Order.objects.get().args["engine_id"] == container.engine_id


def test_seq_counts_one_host(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    for _ in range(3):
        api("POST", f"containers/{container.pk}/restart/", {"timeout": 1})
    assert list(Order.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]


def test_remove_keeps_the_record_for_its_last_exit(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    order = api("DELETE", f"containers/{container.pk}/?force=true&volumes=true").data
    assert Order.objects.get().args == {"engine_id": container.engine_id, "force": True, "volumes": True}
    cast.ends(order["id"])
    assert api("GET", "containers/").data["count"] == 0
    assert api("GET", f"containers/{container.pk}/").data["state"] == "removed"
    assert api("POST", f"containers/{container.pk}/start/").status_code == 410


def test_update_and_rename_in_place(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    body = {"name": "db2", "limits": {"Memory": 1 << 27}, "restart_policy": {"Name": "always"}}
    answer = api("PATCH", f"containers/{container.pk}/", body)
    assert [order["op"] for order in answer.data["orders"]] == ["container.rename", "container.update"]
    cast.ends(answer.data["orders"][0]["id"])
    assert api("GET", f"containers/{container.pk}/").data["name"] == "db2"
    assert api("PATCH", f"containers/{container.pk}/", {"limits": {"Cmd": "x"}}).status_code == 400


def test_if_match(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    etag = api("GET", f"containers/{container.pk}/")["ETag"]
    assert api("GET", f"containers/{container.pk}/", If_None_Match=etag).status_code == 304
    api("POST", f"containers/{container.pk}/stop/")
    assert api("GET", f"containers/{container.pk}/", If_None_Match=etag).status_code == 200
    assert api("DELETE", f"containers/{container.pk}/", If_Match=etag).status_code == 412


def test_a_batch_names_what_was_refused(api: cast.Api, host: Host) -> None:
    ids = [str(cast.running(host).pk) for _ in range(2)]
    stranger = str(uuid.uuid4())
    answer = api("POST", "containers/batch/", {"action": "stop", "ids": [*ids, stranger], "options": {"timeout": 3}})
    assert answer.status_code == 202
    assert [order["target"]["id"] for order in answer.data["orders"]] == ids
    assert [(one["id"], one["problem"]["status"]) for one in answer.data["refused"]] == [(stranger, 404)]
    assert set(Order.objects.values_list("batch", flat=True)) == {uuid.UUID(answer.data["batch"])}
