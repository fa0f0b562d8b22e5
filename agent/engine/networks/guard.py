"""The engine's bridge table as text: each container's link sends as itself only. Values to values, no IO.

A frame that enters a bridge from a container's link must bear the MAC of that link and, in IPv4, IPv6 and ARP, an
address of it; all else is dropped. Otherwise a container with NET_RAW could answer for its neighbours, or take their
frames by teaching the bridge their MAC. IPv6 may also be link-local (neighbour discovery), but advertise no router.
Frames of links that are not ours pass. A container that routes for others must masquerade.
"""

from collections.abc import Iterable

from agent.engine.networks import openings
from agent.engine.networks.endpoint import Endpoint
from agent.engine.networks.openings import Linking

CHAIN = """\
  chain prerouting {
    type filter hook prerouting priority filter; policy accept;
    iifname @links jump guard
  }
  chain guard {
    iifname . ether saddr . ip saddr @four accept
    iifname . ether saddr . arp saddr ip @four iifname . arp saddr ether . arp saddr ip @four accept
    icmpv6 type nd-router-advert drop
    iifname . ether saddr . ip6 saddr @six accept
    iifname . ether saddr @links_macs ip6 saddr { ::, fe80::/10 } accept
    drop
  }
"""
SETS = {
    "links": "ifname",
    "links_macs": "ifname . ether_addr",
    "four": "ifname . ether_addr . ipv4_addr",
    "six": "ifname . ether_addr . ipv6_addr",
}


def _elements(ends: Iterable[Endpoint]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in SETS}
    for end in ends:
        link = f'"{end.veth}"'
        found["links"].append(link)
        found["links_macs"].append(f"{link} . {end.mac}")
        for address, _ in end.configured():
            found["four" if address.version == 4 else "six"].append(f"{link} . {end.mac} . {address}")
    return {name: elements for name, elements in found.items() if elements}


def _commands(verb: str, table: str, ends: Iterable[Endpoint]) -> str:
    return "".join(
        f"{verb} element bridge {table} {name} {{ {', '.join(elements)} }}\n"
        for name, elements in _elements(ends).items()
    )


def add(table: str, ends: Iterable[Endpoint]) -> str:
    """Guard links, which need not be there yet."""
    return _commands("add", table, ends)


def delete(table: str, ends: Iterable[Endpoint]) -> str:
    """Forget guarded links."""
    return _commands("delete", table, ends)


def delete_table(table: str) -> str:
    """Remove all of it, whether or not it is there."""
    return f"add table bridge {table}\ndelete table bridge {table}\n"


def render(table: str, ends: Iterable[Endpoint], linking: Linking) -> str:
    """The whole table, replacing the one that is there in the same transaction."""
    sets = "".join(f"  set {name} {{\n    type {kind}\n  }}\n" for name, kind in SETS.items())
    sets += openings.sets(openings.SETS, openings.between(linking) | openings.opened(linking))
    return f"{delete_table(table)}table bridge {table} {{\n{sets}{CHAIN}{openings.CHAINS}}}\n{add(table, ends)}"
