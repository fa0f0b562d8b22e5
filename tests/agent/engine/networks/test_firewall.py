"""The rules as text. What nft makes of them is tested in test_publish.py."""

from pathlib import Path

import pytest

from agent.engine.networks import firewall
from agent.engine.networks.firewall import BridgeRules, PortRule, RuleSet

GOLDEN = Path(__file__).parent / "golden"

PORTS = {PortRule("tcp", "", 8080, "172.17.0.2", 80), PortRule("udp", "127.0.0.1", 53, "172.17.0.3", 53)}
MORE = {PortRule("tcp", "", 80, "fd00::2", 8080), PortRule("sctp", "", 0, "172.21.0.2", 80, routed=True)}
CASES = {
    "empty": RuleSet("t"),
    "default": RuleSet("t", {"longshore0": BridgeRules("longshore0", ("172.17.0.0/16",))}, PORTS),
    "many": RuleSet(
        "t",
        {
            "br-a": BridgeRules("br-a", ("172.18.0.0/16", "fd00::/64")),
            "br-i": BridgeRules("br-i", ("172.19.0.0/16",), internal=True),
            "br-n": BridgeRules("br-n", ("172.20.0.0/16",), icc=False, masquerade=False),
            "br-r": BridgeRules("br-r", ("172.21.0.0/16", "fd01::/64"), modes={4: "routed", 6: "nat-unprotected"}),
            "br-s": BridgeRules("br-s", ("172.22.0.0/16",), hosts={4: "10.0.0.9"}),
        },
        MORE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_tables(name: str) -> None:
    assert firewall.render(CASES[name]) == (GOLDEN / f"{name}.nft").read_text()


def test_ports() -> None:
    ports = sorted(PORTS)
    assert firewall.add_ports("t", ports) == (
        "add element inet t published_any4 { tcp . 8080 : 172.17.0.2 . 80 }\n"
        "add element inet t published4 { 127.0.0.1 . udp . 53 : 172.17.0.3 . 53 }\n"
    )
    assert firewall.delete_ports("t", ports) == (
        "delete element inet t published_any4 { tcp . 8080 }\n"
        "delete element inet t published4 { 127.0.0.1 . udp . 53 }\n"
    )


def test_two_host_ports_of_one_routed_port_are_one_element() -> None:
    ports = [PortRule("tcp", "", number, "172.17.0.2", 80, routed=True) for number in (1, 2)]
    assert firewall.add_ports("t", ports).count("\n") == firewall.delete_ports("t", ports).count("\n") == 1
