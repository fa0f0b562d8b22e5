"""The rules in force: what ``firewall.py``, ``guard.py`` and ``openings.py`` write, applied. Called in workers."""

import dataclasses
import logging
import threading
from collections.abc import Collection, Iterable, Sequence

from agent.engine.errors import System
from agent.engine.kernel import conntrack
from agent.engine.kernel.networkers import Home
from agent.engine.networks import firewall, foreign, guard, openings
from agent.engine.networks.endpoint import Endpoint
from agent.engine.networks.firewall import BridgeRules, PortRule, RuleSet
from agent.engine.networks.openings import Linking, Opening

log = logging.getLogger(__name__)


class Rules:
    """Keeps the tables equal to the rule set: memory changes only when the kernel has taken the change."""

    def __init__(self, table: str) -> None:
        self._set = RuleSet(table)
        self._guarded: dict[str, Endpoint] = {}
        self._lock = threading.Lock()
        self._installed = False
        self._guarding = True

    @property
    def table(self) -> str:
        return self._set.table

    def add_bridge(self, home: Home, bridge: BridgeRules) -> None:
        """Guard a bridge; the table is made with the first one."""
        with self._lock:
            if self._set.bridges.get(bridge.link) == bridge and self._installed:
                return
            self._replace(home, {**self._set.bridges, bridge.link: bridge})

    def remove_bridge(self, home: Home, link: str) -> None:
        """Forget a bridge."""
        with self._lock:
            if link in self._set.bridges:
                self._replace(home, {name: bridge for name, bridge in self._set.bridges.items() if name != link})

    def publish(self, home: Home, ports: Collection[PortRule]) -> None:
        """Let ports in.

        Raises:
            System: nftables refused; none was published.
        """
        with self._lock:
            if ports:
                home.nft.run(firewall.add_ports(self.table, ports))
                self._set.ports |= set(ports)
        _forget_udp(ports)

    def unpublish(self, home: Home, ports: Collection[PortRule]) -> None:
        """Take ports back; also when somebody flushed the table meanwhile."""
        with self._lock:
            known = self._set.ports & set(ports)
            self._set.ports -= known
            if not known:
                return
            self._try(home, firewall.delete_ports(self.table, known))
        _forget_udp(known)

    def guard(self, home: Home, ends: Iterable[Endpoint]) -> None:
        """Let each of these links, there or to come, send as itself only.

        Raises:
            System: nftables refused.
        """
        fresh = {end.veth: end for end in ends if end.bridged}
        with self._lock:
            self._guarded |= fresh
            if self._guarding:
                self._try(home, guard.add(self.table, fresh.values()))

    def unguard(self, home: Home, ends: Iterable[Endpoint]) -> None:
        """Forget links, and what is open between them and others; those that were not guarded are fine."""
        ends = list(ends)
        with self._lock:
            self._close(home, {end.veth for end in ends})
            gone = [known for end in ends if (known := self._guarded.pop(end.veth, None)) is not None]
            if self._guarding:
                self._try(home, guard.delete(self.table, gone))

    def open(self, home: Home, link: str, wanted: Collection[Opening]) -> bool:
        """Let a link talk to these neighbours, and to no others, on a bridge where nobody may.

        Returns:
            False where the kernel cannot filter bridges: the link must stay isolated.
        """
        with self._lock:
            self._relink(home, {**self._set.linking, link: frozenset(wanted)})
            return self._guarding

    def restore(self, home: Home) -> bool:
        """Write the table again if somebody has removed or flushed it; whether that was needed."""
        with self._lock:
            if not self._installed:
                return False
            try:
                chains = home.nft.run(f"list chain inet {self.table} forward")
                if self._guarding:
                    chains += home.nft.run(f"list chain bridge {self.table} prerouting")
                if "vmap @into" in chains and ("jump guard" in chains or not self._guarding):
                    return False
            except System:
                pass
            home.nft.run(self._render(self._set))
            return True

    def foreign(self, home: Home, links: Sequence[str]) -> list[str]:
        """Warnings of firewalls that cut these links off; none where nft cannot tell."""
        try:
            return foreign.warnings(home.nft.run, self.table, links)
        except System as error:
            log.debug("firewalls of others cannot be read: %s", error)
            return []

    def clear(self, home: Home) -> None:
        """Remove the tables, at start before it is made anew and when the engine is taken off the host."""
        with self._lock:
            home.nft.run(firewall.delete_table(self.table))
            if self._can_guard(home):
                home.nft.run(guard.delete_table(self.table))
            self._installed = False

    def _replace(self, home: Home, bridges: dict[str, BridgeRules]) -> None:
        if not self._installed:
            self._guarding = self._can_guard(home)
        changed = dataclasses.replace(self._set, bridges=bridges)
        home.nft.run(self._render(changed))
        self._set = changed
        self._installed = True

    def _render(self, rules: RuleSet) -> str:
        guarded = guard.render(self.table, self._guarded.values(), rules.linking) if self._guarding else ""
        return firewall.render(rules) + guarded

    def _close(self, home: Home, gone: Collection[str]) -> None:
        """Forget what is open to and from these links."""
        known = self._set.linking
        if known:
            kept = {
                link: frozenset(one for one in wanted if one.target_link not in gone)
                for link, wanted in known.items()
                if link not in gone
            }
            self._relink(home, kept)

    def _relink(self, home: Home, linking: Linking) -> None:
        before, self._set.linking = self._set.linking, linking
        if self._installed:
            self._try(home, openings.commands(self.table, before, linking, bridged=self._guarding))

    def _can_guard(self, home: Home) -> bool:
        """A kernel may have been built without nftables for bridges."""
        try:
            home.nft.run(f"add table bridge {self.table}")
        except System as error:
            log.warning("containers with NET_RAW can speak for their neighbours here: %s", error)
            return False
        return True

    def _try(self, home: Home, commands: str) -> None:
        """Change the tables; somebody may have flushed them meanwhile."""
        try:
            if commands:
                home.nft.run(commands)
        except System:
            home.nft.run(self._render(self._set))


def _forget_udp(ports: Iterable[PortRule]) -> None:
    """Clients that go on sending follow the change. The thread is at home."""
    numbers = {port.host_port for port in ports if port.protocol == "udp"}
    if numbers:
        conntrack.delete_udp(numbers)
