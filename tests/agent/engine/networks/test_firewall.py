"""The rules as text. What nft makes of them is tested in test_publish.py."""

from pathlib import Path

import pytest

from agent.engine.networks import firewall
from agent.engine.networks.firewall import BridgeRules, PortRule, RuleSet

GOLDEN = Path(__file__).parent / "golden"

PORTS = {PortRule("tcp", "", 8080, "172.17.0.2", 80), PortRule("udp", "127.0.0.1", 53, "172.17.0.3", 53)}
CASES = {
    "empty": RuleSet("t"),
    "default": RuleSet("t", {"longshore0": BridgeRules("longshore0", ("172.17.0.0/16",))}, PORTS),
    "many": RuleSet(
        "t",
        {
            "br-a": BridgeRules("br-a", ("172.18.0.0/16", "fd00::/64")),
            "br-i": BridgeRules("br-i", ("172.19.0.0/16",), internal=True),
            "br-n": BridgeRules("br-n", ("172.20.0.0/16",), icc=False, masquerade=False),
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_tables(name: str) -> None:
    assert firewall.render(CASES[name]) == (GOLDEN / f"{name}.nft").read_text()


def test_ports() -> None:
    ports = sorted(PORTS)
    assert firewall.add_ports("t", ports) == (
        "add element inet t published_any { tcp . 8080 : 172.17.0.2 . 80 }\n"
        "add element inet t published { 127.0.0.1 . udp . 53 : 172.17.0.3 . 53 }\n"
    )
    assert firewall.delete_ports("t", ports) == (
        "delete element inet t published_any { tcp . 8080 }\ndelete element inet t published { 127.0.0.1 . udp . 53 }\n"
    )
