"""What legacy links open on a bridge whose containers may not talk to each other. Values to values, no IO.

Links of such a bridge are isolated from each other in the bridge itself. A container that is linked to others is not,
and what goes between it and its neighbours is filtered instead: address resolution with those that it is linked to, and
their exposed ports, pass; in the table ``inet`` too, which sees bridged packets where the host wants it to
(``br_netfilter``).
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

CHAINS = """\
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname @linking jump between
    oifname @linking jump between
  }
  chain between {
    iifname . oifname != @linked drop
    ether type arp accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    ip saddr . ip daddr . meta l4proto . th dport @opened4 accept
    ip daddr . ip saddr . meta l4proto . th sport @opened4 accept
    ip6 saddr . ip6 daddr . meta l4proto . th dport @opened6 accept
    ip6 daddr . ip6 saddr . meta l4proto . th sport @opened6 accept
    drop
  }
"""
OPENED = {
    f"opened{version}": f"ipv{version}_addr . ipv{version}_addr . inet_proto . inet_service" for version in (4, 6)
}
SETS = {"linking": "ifname", "linked": "ifname . ifname"} | OPENED


@dataclass(frozen=True, slots=True)
class Opening:
    """One exposed port of a container, open to another that is linked to it."""

    source: str
    """Address of the one that is linked."""
    target: str
    target_link: str
    """Our end of the target's link."""
    protocol: str
    port: int


Linking = Mapping[str, Set[Opening]]
"""What is open to a container with links, by our end of its link."""
Elements = set[tuple[str, str]]
"""(set, element)."""


def opened(linking: Linking) -> Elements:
    """Of both tables."""
    return {
        (
            f"opened{6 if ':' in one.target else 4}",
            f"{one.source} . {one.target} . {one.protocol} . {one.port}",
        )
        for openings in linking.values()
        for one in openings
    }


def between(linking: Linking) -> Elements:
    """Of the bridge table alone."""
    found = {("linking", f'"{link}"') for link in linking}
    for link, openings in linking.items():
        for one in openings:
            found |= {("linked", f'"{link}" . "{one.target_link}"'), ("linked", f'"{one.target_link}" . "{link}"')}
    return found


def commands(table: str, before: Linking, after: Linking, *, bridged: bool) -> str:
    """From one state to another.

    Args:
        bridged: there is a bridge table.
    """
    states = {"inet": (opened(before), opened(after))}
    if bridged:
        states["bridge"] = (opened(before) | between(before), opened(after) | between(after))
    return "".join(
        f"{verb} element {family} {table} {name} {{ {element} }}\n"
        for family, (old, new) in states.items()
        for verb, changed in (("delete", old - new), ("add", new - old))
        for name, element in sorted(changed)
    )


def _elements(found: Iterable[tuple[str, str]], name: str) -> str:
    those = sorted(element for one, element in found if one == name)
    return f"    elements = {{ {', '.join(those)} }}\n" if those else ""


def sets(kinds: Mapping[str, str], found: Iterable[tuple[str, str]]) -> str:
    """Definitions of these sets, filled."""
    known = list(found)
    return "".join(f"  set {name} {{\n    type {kind}\n{_elements(known, name)}  }}\n" for name, kind in kinds.items())
