"""Firewalls of others that drop what containers send and get. Text to values, no IO.

In nftables a packet must pass every table: what another program's chain drops, no rule of ours can let through, and
tables of others are never written. So the engine says which chain it is and what would let containers pass.
Seen is what nft lists, iptables-nft's rules (ufw, firewalld, dockerd) among it; those of iptables-legacy are not.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

FAMILIES = ("ip", "ip6", "inet")
SHOWN = 5
"""Links named in a warning."""
MARK = "WARNING: a firewall"
"""How these warnings begin: `python -m agent check` looks for them."""
_TABLE = re.compile(r"table (\w+) (\S+) \{")
_CHAIN = re.compile(r"chain (\S+) \{")
_FINAL = re.compile(r"(counter packets \d+ bytes \d+ )?(log .*)?(drop|reject( with .*)?)")


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain of somebody else's that sees forwarded packets."""

    family: str
    table: str
    name: str
    policy: str

    def __str__(self) -> str:
        return f"{self.name} of table {self.family} {self.table}"


def forwarding(listing: str, own: str) -> list[Chain]:
    """From ``list chains``: base chains at the forward hook, but for those of our table."""
    found, family, table, chain = [], "", "", ""
    for line in map(str.strip, listing.splitlines()):
        if begun := _TABLE.fullmatch(line):
            family, table = begun[1], begun[2]
        elif begun := _CHAIN.fullmatch(line):
            chain = begun[1]
        elif line.startswith("type filter hook forward ") and family in FAMILIES and table != own:
            policy = re.search(r"policy (\w+);", line)
            found.append(Chain(family, table, chain, policy[1] if policy else "accept"))
    return found


def drops(chain: Chain, listing: str) -> bool:
    """What no rule of the chain takes is dropped: by its policy, or by a last rule without a condition."""
    lines = [line for line in map(str.strip, listing.splitlines()) if line and line != "}"]
    return chain.policy == "drop" or bool(lines and _FINAL.fullmatch(lines[-1]))


def unknown(links: Iterable[str], listing: str) -> list[str]:
    """Links of which a table says nothing, neither by name nor by the beginning of it."""
    named = set(re.findall(r'"([^"]+)"', listing))
    begun = tuple(name[:-1] for name in named if name.endswith("*"))
    return [link for link in links if link not in named and not (begun and link.startswith(begun))]


def warnings(run: Callable[[str], str], own: str, links: Sequence[str]) -> list[str]:
    """One for each chain that drops what containers on these links send.

    Args:
        run: gives an nft command, answers what it prints.
        own: our table's name.
    """
    found = []
    for chain in forwarding(run("list chains"), own) if links else ():
        if not drops(chain, run(f"list chain {chain.family} {chain.table} {chain.name}")):
            continue
        cut = unknown(links, run(f"list table {chain.family} {chain.table}"))
        if cut:
            shown = ", ".join(cut[:SHOWN]) + (" and more" if len(cut) > SHOWN else "")
            found.append(
                f"{MARK} (chain {chain}) drops what containers on {shown} send to or get from elsewhere: "
                "let that firewall accept these links, incoming and outgoing"
            )
    return found
