import re
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine.errors import Denied, EngineError, Invalid, System, Unavailable
from agent.engine.networks import ipam

SUBNETS = st.builds(
    lambda address, prefix: ip_network((address, prefix), strict=False),
    st.ip_addresses(v=4),
    st.integers(min_value=20, max_value=30),
)


@given(SUBNETS)
def test_every_address_is_given_once_and_then_none(subnet: ipam.Subnet) -> None:
    plan = ipam.plan({"Subnet": str(subnet)})
    room = subnet.num_addresses - len(plan.reserved)
    taken: set[ipam.Address] = set()
    for _ in range(min(room, 40)):
        held, address = ipam.free_address([plan], taken, "net")
        assert held is plan
        assert address in subnet
        assert address not in plan.reserved
        assert address not in taken
        taken.add(address)
    if room <= 40:
        with pytest.raises(Unavailable, match="no available IPv4 addresses on this network's address pools: net"):
            ipam.free_address([plan], taken, "net")


@given(SUBNETS, st.data())
def test_what_is_given_back_is_given_again(subnet: ipam.Subnet, data: st.DataObject) -> None:
    plan = ipam.plan({"Subnet": str(subnet)})
    taken = {ipam.free_address([plan], (), "net")[1]}
    for _ in range(5):
        if len(taken) < subnet.num_addresses - len(plan.reserved):
            taken.add(ipam.free_address([plan], taken, "net")[1])
    back = data.draw(st.sampled_from(sorted(taken)))
    assert ipam.free_address([plan], taken - {back}, "net") == (plan, back)


@given(st.lists(SUBNETS, max_size=8))
def test_a_free_subnet_overlaps_nothing(taken: list[ipam.Subnet]) -> None:
    found = ipam.free_subnet(("10.0.0.0/8:16", "192.168.0.0/16:20"), taken)
    assert not any(found.overlaps(other) for other in taken)


def test_pools_in_order_and_at_their_end() -> None:
    assert str(ipam.free_subnet(("172.17.0.0/16:16", "172.18.0.0/16:16"), [])) == "172.17.0.0/16"
    with pytest.raises(Unavailable, match="could not find an available, non-overlapping address pool"):
        ipam.free_subnet(("172.17.0.0/16:16",), [ip_network("172.17.3.0/24")])


def test_gateways() -> None:
    assert str(ipam.plan({"Subnet": "10.1.0.0/24"}).gateway) == "10.1.0.1"
    assert str(ipam.plan({"Subnet": "10.1.0.0/24", "Gateway": "10.1.0.9"}).gateway) == "10.1.0.9"
    assert str(ipam.plan({"Subnet": "10.1.0.0/16", "IPRange": "10.1.5.0/24"}).gateway) == "10.1.5.0"
    assert str(ipam.plan({"Subnet": "fd00::/64"}).gateway) == "fd00::1"


AUX = "AuxiliaryAddresses"


@pytest.mark.parametrize(
    ("config", "kind", "words"),
    [
        ({"Subnet": ""}, System, "Invalid subnet  : invalid CIDR address: "),
        ({"Subnet": "10.0.0.0"}, System, "Invalid subnet 10.0.0.0 : invalid CIDR address: 10.0.0.0"),
        ({"Subnet": "10.0.0.0/33"}, System, "invalid CIDR address"),
        ({"Subnet": "10.0.0.0/31"}, System, "failed to allocate gateway (): No available addresses on this pool"),
        ({"Subnet": "10.0.0.0/24", "Gateway": "10.0.1.1"}, System, "(10.0.1.1): Requested address is out of range"),
        ({"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.255"}, System, "(10.0.0.255): Address already in use"),
        ({"Subnet": "10.0.0.0/24", "Gateway": "x"}, System, "invalid gateway address x in Ipam configuration"),
        ({"Subnet": "10.0.0.0/24", "IPRange": "10.0.1.0/25"}, Invalid, "parent subnet 10.0.0.0/24 doesn't contain"),
        ({"Subnet": "10.0.0.0/24", "IPRange": "x"}, System, 'pool "10.0.0.0/24" subpool "x": Invalid Address SubPool'),
        (
            {"Subnet": "10.0.0.0/24", AUX: {"a": "10.0.0.5", "b": "10.0.0.5"}},
            System,
            "(b:10.0.0.5): Address already in",
        ),
        ({"Subnet": "10.0.0.0/24", AUX: {"a": "10.1.0.5"}}, Denied, "(a:10.1.0.5) must belong to the master pool"),
        ({"Subnet": "10.0.0.0/24", AUX: {"a": "x"}}, System, "secondary ip address (a:x) passed for network net"),
    ],
)
def test_refused(config: dict[str, object], kind: type[EngineError], words: str) -> None:
    with pytest.raises(kind, match=re.escape(words)):
        ipam.plan(config, "net")


def test_static_addresses() -> None:
    plans = [ipam.plan({"Subnet": "10.1.0.0/24"})]
    assert ipam.static_address(plans, "10.1.0.7", set())[1] == ip_address("10.1.0.7")
    with pytest.raises(Denied, match="Address already in use"):
        ipam.static_address(plans, "10.1.0.1", set())
    with pytest.raises(Denied, match="Address already in use"):
        ipam.static_address(plans, "10.1.0.7", {ip_address("10.1.0.7")})
    with pytest.raises(System, match="does not belong to any"):
        ipam.static_address(plans, "10.2.0.7", set())
    with pytest.raises(Invalid, match="invalid IP address: x"):
        ipam.static_address(plans, "x", set())


def test_mac() -> None:
    assert ipam.mac_of(ip_address("172.17.0.2")) == "02:42:ac:11:00:02"
