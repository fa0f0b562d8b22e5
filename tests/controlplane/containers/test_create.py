"""POST containers/: a record at once, an order, and what its end means."""

import pytest

from agent.protocol.orders import OPS
from controlplane.containers import spec as specs
from controlplane.containers.models import Container
from controlplane.hosts.models import Host
from controlplane.orders.models import Order
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


def test_it_works(api: cast.Api, host: Host) -> None:
    body = {"host": "web-1", "image": "nginx:alpine", "name": "web", "spec": {"Env": ["A=b"]}}
    answer = api("POST", "containers/", body)
    assert answer.status_code == 202
    assert answer["Location"] == f"/api/orders/{answer.data['id']}/"
    assert answer.data["op"] in OPS
    assert (answer.data["state"], answer.data["host"]["name"]) == ("queued", "web-1")
    row = api("GET", f"containers/{answer.data['target']['id']}/").data
    assert (row["state"], row["name"], row["spec"]) == ("creating", "web", {"Env": ["A=b"]})
    assert row["pending_order"]["id"] == answer.data["id"]


def test_its_end_and_the_report_meet_in_one_row(api: cast.Api, host: Host) -> None:
    order = api("POST", "containers/", {"host": str(host.pk), "image": "nginx"}).data
    ident = order["target"]["id"]
    cast.running(host, engine_id="a" * 64, longshore_id=ident, name="web")
    cast.ends(order["id"], result={"engine_id": "a" * 64, "name": "web"})
    row = api("GET", f"containers/{ident}/").data
    assert (row["state"], row["engine_id"], row["pending_order"]) == ("running", "a" * 64, None)
    assert Container.objects.count() == 1


def test_a_failure_is_kept_and_can_be_retried_or_dismissed(api: cast.Api, host: Host) -> None:
    order = api("POST", "containers/", {"host": "web-1", "image": "nginx"}).data
    problem = {"code": "not_found", "status": 404, "detail": "No such image: nginx"}
    cast.ends(order["id"], "failed", problem=problem)
    row = api("GET", f"containers/{order['target']['id']}/").data
    assert (row["state"], row["problem"]) == ("creation_failed", problem)
    assert api("POST", f"containers/{row['id']}/start/").status_code == 409
    again = api("POST", f"orders/{order['id']}/retry/")
    assert again.status_code == 202
    assert api("GET", f"containers/{row['id']}/").data["state"] == "creating"
    cast.ends(again.data["id"], "failed", problem=problem)
    assert api("DELETE", f"containers/{row['id']}/").status_code == 204
    assert api("GET", "containers/").data["count"] == 0


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"imagee": "x"}, "/imagee"),
        ({"spec": {"Memory": 1}}, "/spec/Memory"),
        ({"spec": {"HostConfig": {"Memory": "1g"}}}, "/spec/HostConfig/Memory"),
        ({"spec": {"Labels": {"longshore.id": "x"}}}, "/spec/Labels/longshore.id"),
        ({"spec": {"Env": ["A=1", "A=2"]}}, "/spec/Env/1"),
        ({"spec": {"HostConfig": {"Mounts": [{"Type": "volume", "Target": "x"}]}}}, "/spec/HostConfig/Mounts/0/Target"),
        # dockerd takes names in any case: what we do not know must not reach it
        (
            {
                "spec": {
                    "HostConfig": {
                        "Mounts": [
                            {
                                "Type": "volume",
                                "Target": "/x",
                                "VolumeOptions": {
                                    "driverConfig": {"Options": {"type": "none", "o": "bind", "device": "/"}}
                                },
                            }
                        ]
                    }
                }
            },
            "/spec/HostConfig/Mounts/0/VolumeOptions/driverConfig",
        ),
        (
            {
                "spec": {
                    "HostConfig": {
                        "Mounts": [
                            {
                                "Type": "volume",
                                "Target": "/x",
                                "VolumeOptions": {
                                    "DriverConfig": {"options": {"type": "none", "o": "bind", "device": "/"}}
                                },
                            }
                        ]
                    }
                }
            },
            "/spec/HostConfig/Mounts/0/VolumeOptions/DriverConfig/options",
        ),
        ({"image": "UPPER/Case:!"}, "/image"),
        ({"name": "-x"}, "/name"),
        ({"not_after": "2020-01-01T00:00:00Z"}, "/not_after"),
    ],
)
def test_bad_input_points_at_the_field_and_leaves_nothing(api, host, change, pointer) -> None:  # type: ignore[no-untyped-def]
    answer = api("POST", "containers/", {"host": "web-1", "image": "nginx", **change})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.data["errors"]]
    assert not Container.objects.exists()
    assert not Order.objects.exists()


def test_no_such_host(api: cast.Api) -> None:
    answer = api("POST", "containers/", {"host": "nowhere", "image": "nginx"})
    assert (answer.status_code, answer.data["code"]) == (404, "no_such_host")
    assert "nowhere" in answer.data["detail"]


@pytest.mark.parametrize(
    ("log", "reaches"),
    [
        (None, False),
        ({"Type": "json-file", "Config": {"max-size": "1m"}}, False),
        ({"Type": "syslog", "Config": {"tag": "x"}}, False),
        ({"Type": "syslog", "Config": {"syslog-address": "unix:///run/any"}}, True),
        ({"Type": "syslog", "Config": {"syslog-tls-key": "/etc/shadow"}}, True),
        ({"Type": "fluentd"}, True),
        ({"type": "fluentd"}, True),
    ],
)
def test_logs_that_go_to_an_address_need_a_right_of_their_own(log: dict[str, object] | None, reaches: bool) -> None:
    assert bool(specs.privileged_reasons({"HostConfig": {"LogConfig": log}})) is reaches
