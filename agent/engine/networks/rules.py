"""The firewall's rules in force: what ``firewall.py`` writes, applied. Called in worker threads."""

import threading
from collections.abc import Collection, Iterable

from agent.engine.errors import System
from agent.engine.kernel import conntrack
from agent.engine.kernel.networkers import Home
from agent.engine.networks import firewall
from agent.engine.networks.firewall import BridgeRules, PortRule, RuleSet


class Rules:
    """Keeps the table equal to the rule set: memory changes only when the kernel has taken the change."""

    def __init__(self, table: str) -> None:
        self._set = RuleSet(table)
        self._lock = threading.Lock()
        self._installed = False

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
            try:
                home.nft.run(firewall.delete_ports(self.table, known))
            except System:
                home.nft.run(firewall.render(self._set))
        _forget_udp(known)

    def restore(self, home: Home) -> bool:
        """Write the table again if somebody has removed or flushed it; whether that was needed."""
        with self._lock:
            if not self._installed:
                return False
            try:
                if "vmap @into" in home.nft.run(f"list chain inet {self.table} forward"):
                    return False
            except System:
                pass
            home.nft.run(firewall.render(self._set))
            return True

    def clear(self, home: Home) -> None:
        """Remove the table, at start before it is made anew and when the engine is taken off the host."""
        with self._lock:
            home.nft.run(firewall.delete_table(self.table))
            self._installed = False

    def _replace(self, home: Home, bridges: dict[str, BridgeRules]) -> None:
        changed = RuleSet(self.table, bridges, self._set.ports)
        home.nft.run(firewall.render(changed))
        self._set = changed
        self._installed = True


def _forget_udp(ports: Iterable[PortRule]) -> None:
    """Clients that go on sending follow the change. The thread is at home."""
    numbers = {port.host_port for port in ports if port.protocol == "udp"}
    if numbers:
        conntrack.delete_udp(numbers)
