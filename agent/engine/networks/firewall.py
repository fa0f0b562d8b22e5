"""The engine's nftables table as text. Values to values, no IO.

    raw          what comes from outside for 127/8, or says that it is from there, is dropped: bridges carry
                 route_localnet, so that the host's loopback reaches published ports; that must not open it to others
    prerouting,  a published address is rewritten to the container's: ``published4`` and ``published6`` hold exact host
    output       addresses, ``published_any4`` and ``published_any6`` those of every local address. Not for a bridge
                 whose containers may not talk to each other: a rewritten packet would stay on the bridge, so the
                 engine's relay answers there (TCP). Nor for ::1, which the kernel lets out of no link: relayed too
    forward      into a bridge: answers, published ports (rewritten by us, or ``routed`` to), neighbours on the same
                 bridge, and where those may not talk what links open (``openings.py``); else dropped. Out of an
                 internal bridge: nothing
    postrouting  what leaves a bridge's subnet by another link is masqueraded, and so is a connection that comes back to
                 the bridge from which it came (hairpin), or from the host's loopback

The whole table is replaced in one transaction when a bridge comes or goes; a port is one element in a map.
Tables of others are never read or written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.engine.networks import openings
from agent.engine.networks.openings import Linking

VERSIONS = (4, 6)
FAMILY = {4: "ip", 6: "ip6"}


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What the rules need to know of a bridge."""

    link: str
    subnets: tuple[str, ...]
    internal: bool = False
    masquerade: bool = True
    icc: bool = True
    """Containers of this bridge may talk to each other."""
    modes: Mapping[int, str] = field(default_factory=dict)
    """IP version → ``nat``, ``nat-unprotected``, ``routed`` or ``isolated``; none said: ``nat``."""
    hosts: Mapping[int, str] = field(default_factory=dict)
    """IP version → source address of what leaves; none said: the outgoing link's own."""

    def mode(self, version: int) -> str:
        return self.modes.get(version, "nat")


@dataclass(frozen=True, slots=True, order=True)
class PortRule:
    """One published port: ``host_ip`` empty for every local address of the container's IP version."""

    protocol: str
    host_ip: str
    host_port: int
    container_ip: str
    container_port: int
    routed: bool = False
    """Nothing is rewritten: the container's own address is reached at its own port."""

    @property
    def version(self) -> int:
        return 6 if ":" in self.container_ip else 4


@dataclass
class RuleSet:
    """All that is in force."""

    table: str
    bridges: dict[str, BridgeRules] = field(default_factory=dict)
    ports: set[PortRule] = field(default_factory=set)
    linking: Linking = field(default_factory=dict)


def _key(port: PortRule) -> tuple[str, str]:
    """The map or set of a port, and its key there."""
    if port.routed:
        return f"routed{port.version}", f"{port.container_ip} . {port.protocol} . {port.container_port}"
    key = f"{port.protocol} . {port.host_port}"
    if port.host_ip:
        return f"published{port.version}", f"{port.host_ip} . {key}"
    return f"published_any{port.version}", key


def _element(port: PortRule) -> str:
    key = _key(port)[1]
    return key if port.routed else f"{key} : {port.container_ip} . {port.container_port}"


def _elements(ports: Iterable[PortRule], name: str) -> str:
    found = dict.fromkeys(_element(port) for port in sorted(ports) if _key(port)[0] == name)
    return f"    elements = {{ {', '.join(found)} }}\n" if found else ""


def add_ports(table: str, ports: Iterable[PortRule]) -> str:
    """Publish: one command a port."""
    found = dict.fromkeys((_key(port)[0], _element(port)) for port in ports)
    return "".join(f"add element inet {table} {name} {{ {element} }}\n" for name, element in found)


def delete_ports(table: str, ports: Iterable[PortRule]) -> str:
    """Take published ports back."""
    found = dict.fromkeys(map(_key, ports))
    return "".join(f"delete element inet {table} {name} {{ {key} }}\n" for name, key in found)


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
    lines = ["ct state established,related accept"]
    for version in VERSIONS if not bridge.internal else ():
        family = FAMILY[version]
        if bridge.mode(version) == "routed":
            lines += [
                f"{family} daddr . meta l4proto . th dport @routed{version} accept",
                f"meta nfproto ipv{version} meta l4proto {'icmp' if version == 4 else 'ipv6-icmp'} accept",
            ]
        elif bridge.mode(version) == "nat-unprotected":
            lines.append(f"meta nfproto ipv{version} accept")
    if not bridge.internal:
        lines.append("ct status dnat accept")
    if bridge.icc:
        lines.append(f'iifname "{bridge.link}" accept')
    else:
        lines += [
            f"{FAMILY[version]} saddr . {FAMILY[version]} daddr . meta l4proto . th dport @opened{version} accept"
            for version in VERSIONS
        ]
    body = "".join(f"    {line}\n" for line in (*lines, "drop"))
    return f"  chain into_{chain_name(bridge.link)} {{\n{body}  }}\n"


def _out_of(bridge: BridgeRules) -> str:
    return f'  chain out_of_{chain_name(bridge.link)} {{\n    oifname "{bridge.link}" return\n    drop\n  }}\n'


def _postrouting(bridge: BridgeRules) -> str:
    if bridge.internal:
        return ""
    lines = []
    for subnet in bridge.subnets:
        version = 6 if ":" in subnet else 4
        if bridge.mode(version) == "routed":
            continue
        family, host = FAMILY[version], bridge.hosts.get(version)
        lines.append(f'    {family} saddr {subnet} oifname "{bridge.link}" ct status dnat masquerade\n')
        if bridge.masquerade:
            verdict = f"snat {family} to {host}" if host else "masquerade"
            lines.append(f'    {family} saddr {subnet} oifname != "{bridge.link}" {verdict}\n')
    lines.append(f'    ip saddr 127.0.0.0/8 oifname "{bridge.link}" ct status dnat masquerade\n')
    return "".join(lines)


def _maps(ports: Iterable[PortRule]) -> str:
    found = []
    for version in VERSIONS:
        address = f"ipv{version}_addr"
        value = f"inet_service : {address} . inet_service"
        for kind, name, key in (
            ("map", f"published{version}", f"{address} . inet_proto . {value}"),
            ("map", f"published_any{version}", f"inet_proto . {value}"),
            ("set", f"routed{version}", f"{address} . inet_proto . inet_service"),
        ):
            found.append(f"  {kind} {name} {{\n    type {key}\n{_elements(ports, name)}  }}\n")
    return "".join(found)


def _dnat(six: str = "") -> str:
    return (
        "    dnat ip to ip daddr . meta l4proto . th dport map @published4\n"
        "    fib daddr type local dnat ip to meta l4proto . th dport map @published_any4\n"
        f"    {six}dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6\n"
        f"    {six}fib daddr type local dnat ip6 to meta l4proto . th dport map @published_any6\n"
    )


def render(rules: RuleSet) -> str:
    """The whole table, replacing the one that is there in the same transaction."""
    bridges = [rules.bridges[link] for link in sorted(rules.bridges)]
    return (
        delete_table(rules.table)
        + f"table inet {rules.table} {{\n"
        + _maps(rules.ports)
        + (
            ""
            if all(bridge.icc for bridge in bridges)
            else openings.sets(openings.OPENED, openings.opened(rules.linking))
        )
        + "".join(_into(bridge) for bridge in bridges)
        + "".join(_out_of(bridge) for bridge in bridges if bridge.internal)
        + _verdicts("into", [bridge.link for bridge in bridges], "into")
        + _verdicts("out_of", [bridge.link for bridge in bridges if bridge.internal], "out_of")
        + "  chain raw {\n    type filter hook prerouting priority raw; policy accept;\n"
        + '    iifname != "lo" ip daddr 127.0.0.0/8 drop\n    iifname != "lo" ip saddr 127.0.0.0/8 drop\n  }\n'
        + "  chain prerouting {\n    type nat hook prerouting priority dstnat; policy accept;\n"
        + "".join(f'    iifname "{bridge.link}" return\n' for bridge in bridges if not bridge.icc)
        + f"{_dnat()}  }}\n"
        + "  chain output {\n    type nat hook output priority -100; policy accept;\n"
        + f"{_dnat('ip6 daddr != ::1 ')}  }}\n"
        + "  chain forward {\n    type filter hook forward priority filter; policy accept;\n"
        + "    iifname vmap @out_of\n    oifname vmap @into\n  }\n"
        + "  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n"
        + "".join(_postrouting(bridge) for bridge in bridges)
        + "  }\n}\n"
    )
