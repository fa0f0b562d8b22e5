"""Networks: created in Docker's words, joined and left, found again by label or engine id."""

from typing import Any

import pytest
from django.utils import timezone

from controlplane.accounts.models import User
from controlplane.hosts.models import Host
from controlplane.networks.models import Network
from controlplane.networks.services import networks_gone, networks_observed, networks_swept
from controlplane.orders.models import Order
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


def seen(host: Host, engine_id: str = "n" * 64, **changes: Any) -> Network:
    item = {
        "engine_id": engine_id, "longshore_id": "", "name": "bridge", "driver": "bridge", "scope": "local",
        "internal": False, "attachable": False, "enable_ipv6": False, "options": {}, "labels": {},
        "ipam": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}, **changes,
    }  # fmt: skip
    networks_observed(host=host, items=[item])
    return Network.objects.get(host=host, engine_id=engine_id)


def test_it_works(api: cast.Api, host: Host) -> None:
    body = {"host": "web-1", "name": "back", "subnets": [{"subnet": "10.9.0.0/24", "gateway": "10.9.0.1"}]}
    order = api("POST", "networks/", {**body, "internal": True}).data
    asked = Order.objects.get().args["network"]
    assert asked["IPAM"] == {"Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}]}
    assert (asked["Internal"], asked["Driver"]) == (True, "bridge")
    seen(host, "f" * 64, name="back", longshore_id=order["target"]["id"])
    cast.ends(order["id"], result={"engine_id": "f" * 64, "name": "back"})
    row = api("GET", f"networks/{order['target']['id']}/").data
    assert (row["state"], row["engine_id"], row["subnets"][0]["subnet"]) == ("present", "f" * 64, "172.17.0.0/16")
    assert api("GET", "networks/?search=172.17").data["count"] == api("GET", "networks/?search=bac").data["count"] == 1
    assert api("GET", "networks/?search=172.99").data["count"] == 0
    assert api("POST", "networks/", body).status_code == 409


@pytest.mark.parametrize(
    ("subnet", "pointer"),
    [
        ({"subnet": "10.9.0.1/24"}, "/subnets/0/subnet"),
        ({"subnet": "x"}, "/subnets/0/subnet"),
        ({"subnet": "10.9.0.0/24", "gateway": "10.8.0.1"}, "/subnets/0/gateway"),
        ({"subnet": "10.9.0.0/24", "mask": 1}, "/subnets/0/mask"),
    ],
)
def test_bad_subnets(api: cast.Api, host: Host, subnet: dict[str, Any], pointer: str) -> None:
    answer = api("POST", "networks/", {"host": "web-1", "name": "back", "subnets": [subnet]})
    assert answer.status_code == 400
    assert answer.data["errors"][0]["pointer"] == pointer


def test_connect_and_disconnect(api: cast.Api, host: Host) -> None:
    network, container = seen(host, "f" * 64, name="back"), cast.running(host)
    body = {"container": str(container.pk), "aliases": ["www"], "ipv4": "172.17.0.9"}
    order = api("POST", f"networks/{network.pk}/connect/", body).data
    args = Order.objects.get(pk=order["id"]).args
    assert args["config"] == {"IPAMConfig": {"IPv4Address": "172.17.0.9"}, "Aliases": ["www"]}
    assert args["container"]["engine_id"] == container.engine_id
    assert api("POST", f"networks/{network.pk}/disconnect/", {"container": "db", "force": True}).status_code == 202
    assert api("POST", f"networks/{network.pk}/connect/", {"container": "nobody"}).status_code == 404


def test_who_is_on_it(api: cast.Api, host: Host) -> None:
    network, _ = seen(host), cast.running(host)
    assert api("GET", f"networks/{network.pk}/").data["containers"][0]["ipv4"] == "172.17.0.2"
    assert api("GET", "networks/?unused=false").data["count"] == 1


def test_the_engines_own_stay(api: cast.Api, host: Host) -> None:
    assert api("DELETE", f"networks/{seen(host).pk}/").status_code == 409


def test_gone_and_swept(api: cast.Api, host: Host) -> None:
    one = seen(host, "f" * 64, name="back")
    order = api("DELETE", f"networks/{one.pk}/").data
    cast.ends(order["id"])
    seen(host, "f" * 64, name="back")
    networks_gone(host=host, engine_ids=["f" * 64])
    assert not Network.objects.exists()
    seen(host)
    networks_swept(host=host, since=timezone.now())
    assert not Network.objects.exists()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"driver": "macvlan", "options": {"parent": "eth0"}}, 403),
        ({"options": {"com.docker.network.bridge.name": "br0"}}, 403),
        ({"options": {"com.docker.network.driver.mtu": "1400"}}, 202),
    ],
)
def test_a_link_of_the_hosts_needs_privileged(owner: User, host: Host, asked: dict[str, Any], status: int) -> None:
    body = {"host": "web-1", "name": "wire", **asked}
    api = cast.Api(owner, scopes=["networks.manage", "networks.view", "hosts.view"])
    answer = api("POST", "networks/", body)
    assert answer.status_code == status
    assert status == 202 or answer.data["params"]["right"] == "containers.privileged"
    more = cast.Api(owner, scopes=["networks.manage", "networks.view", "hosts.view", "containers.privileged"])
    assert more("POST", "networks/", {**body, "name": "other"}).status_code == 202
