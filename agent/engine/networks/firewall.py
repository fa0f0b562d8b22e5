"""The engine's nftables table as text. Values to values, no IO.

    raw          what comes from outside for 127/8, or says that it is from there, is dropped: bridges carry
                 route_localnet, so that the host's loopback reaches published ports; that must not open it to others
    prerouting,  a published address is rewritten to the container's: ``published`` holds exact host addresses,
    output       ``published_any`` those of every local address. Not for a bridge whose containers may not talk to each
                 other: a rewritten packet would stay on the bridge, so the engine's relay answers there (TCP)
    forward      into a bridge: answers, published ports (rewritten by us), neighbours on the same bridge; else dropped.
                 Out of an internal bridge: nothing
    postrouting  what leaves a bridge's subnet by another link is masqueraded, and so is a connection that comes back to
                 the bridge from which it came (hairpin), or from the host's loopback

The whole table is replaced in one transaction when a bridge comes or goes; a port is one element in a map.
Tables of others are never read or written.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What the rules need to know of a bridge."""

    link: str
    subnets: tuple[str, ...]
    internal: bool = False
    masquerade: bool = True
    icc: bool = True
    """Containers of this bridge may talk to each other."""


@dataclass(frozen=True, slots=True, order=True)
class PortRule:
    """One published port: ``host_ip`` empty for every local address."""

    protocol: str
    host_ip: str
    host_port: int
    container_ip: str
    container_port: int


@dataclass
class RuleSet:
    """All that is in force."""

    table: str
    bridges: dict[str, BridgeRules] = field(default_factory=dict)
    ports: set[PortRule] = field(default_factory=set)


def _map_of(port: PortRule) -> tuple[str, str]:
    key = f"{port.protocol} . {port.host_port}"
    return ("published", f"{port.host_ip} . {key}") if port.host_ip else ("published_any", key)


def _element(port: PortRule) -> str:
    return f"{_map_of(port)[1]} : {port.container_ip} . {port.container_port}"


def _elements(ports: Iterable[PortRule], name: str) -> str:
    found = [_element(port) for port in sorted(ports) if _map_of(port)[0] == name]
    return f"    elements = {{ {', '.join(found)} }}\n" if found else ""


def add_ports(table: str, ports: Iterable[PortRule]) -> str:
    """Publish: one command a port."""
    return "".join(f"add element inet {table} {_map_of(port)[0]} {{ {_element(port)} }}\n" for port in ports)


def delete_ports(table: str, ports: Iterable[PortRule]) -> str:
    """Take published ports back."""
    return "".join(f"delete element inet {table} {_map_of(port)[0]} {{ {_map_of(port)[1]} }}\n" for port in ports)


def delete_table(table: str) -> str:
    """Remove all of it, whether or not it is there."""
    return f"add table inet {table}\ndelete table inet {table}\n"


def _verdicts(name: str, links: Iterable[str], prefix: str) -> str:
    found = [f'"{link}" : jump {prefix}_{chain_name(link)}' for link in links]
    elements = f"    elements = {{ {', '.join(found)} }}\n" if found else ""
    return f"  map {name} {{\n    type ifname : verdict\n{elements}  }}\n"


def chain_name(link: str) -> str:
    """A link's name with what nft does not take in identifiers replaced."""
    return "".join(letter if letter.isalnum() else f"_{ord(letter):x}_" for letter in link)


def _into(bridge: BridgeRules) -> str:
    neighbours = f'    iifname "{bridge.link}" accept\n' if bridge.icc else ""
    published = "" if bridge.internal else "    ct status dnat accept\n"
    return (
        f"  chain into_{chain_name(bridge.link)} {{\n    ct state established,related accept\n"
        f"{published}{neighbours}    drop\n  }}\n"
    )


def _out_of(bridge: BridgeRules) -> str:
    return f'  chain out_of_{chain_name(bridge.link)} {{\n    oifname "{bridge.link}" return\n    drop\n  }}\n'


def _postrouting(bridge: BridgeRules) -> str:
    if bridge.internal:
        return ""
    lines = []
    for subnet in bridge.subnets:
        if ":" in subnet:
            continue
        lines.append(f'    ip saddr {subnet} oifname "{bridge.link}" ct status dnat masquerade\n')
        if bridge.masquerade:
            lines.append(f'    ip saddr {subnet} oifname != "{bridge.link}" masquerade\n')
    lines.append(f'    ip saddr 127.0.0.0/8 oifname "{bridge.link}" ct status dnat masquerade\n')
    return "".join(lines)


DNAT = (
    "    dnat ip to ip daddr . meta l4proto . th dport map @published\n"
    "    fib daddr type local dnat ip to meta l4proto . th dport map @published_any\n"
)


def render(rules: RuleSet) -> str:
    """The whole table, replacing the one that is there in the same transaction."""
    bridges = [rules.bridges[link] for link in sorted(rules.bridges)]
    value = "inet_service : ipv4_addr . inet_service"
    return (
        delete_table(rules.table)
        + f"table inet {rules.table} {{\n"
        + f"  map published {{\n    type ipv4_addr . inet_proto . {value}\n{_elements(rules.ports, 'published')}  }}\n"
        + f"  map published_any {{\n    type inet_proto . {value}\n{_elements(rules.ports, 'published_any')}  }}\n"
        + "".join(_into(bridge) for bridge in bridges)
        + "".join(_out_of(bridge) for bridge in bridges if bridge.internal)
        + _verdicts("into", [bridge.link for bridge in bridges], "into")
        + _verdicts("out_of", [bridge.link for bridge in bridges if bridge.internal], "out_of")
        + "  chain raw {\n    type filter hook prerouting priority raw; policy accept;\n"
        + '    iifname != "lo" ip daddr 127.0.0.0/8 drop\n    iifname != "lo" ip saddr 127.0.0.0/8 drop\n  }\n'
        + "  chain prerouting {\n    type nat hook prerouting priority dstnat; policy accept;\n"
        + "".join(f'    iifname "{bridge.link}" return\n' for bridge in bridges if not bridge.icc)
        + f"{DNAT}  }}\n"
        + f"  chain output {{\n    type nat hook output priority -100; policy accept;\n{DNAT}  }}\n"
        + "  chain forward {\n    type filter hook forward priority filter; policy accept;\n"
        + "    iifname vmap @out_of\n    oifname vmap @into\n  }\n"
        + "  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n"
        + "".join(_postrouting(bridge) for bridge in bridges)
        + "  }\n}\n"
    )
