"""Published ports: what was asked, and the sockets that hold what was given.

A socket is bound for every published port in the engine's network namespace, so that no process of the host takes the
number, and one that has it already is noticed. Packets never reach that socket while the firewall's rules are in force;
what does (IPv6 for a container that has only IPv4) is relayed (``relay.py``).
"""

import errno
import itertools
import socket
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.engine.errors import Invalid, System
from agent.engine.networks.firewall import PortRule
from agent.engine.networks.ipam import parse_address

ANY4, ANY6 = "0.0.0.0", "::"  # noqa: S104 (an address to compare with)
PROTOCOLS = ("tcp", "udp", "sctp")
BACKLOG = 512
Bound = Mapping[tuple[str, str, int], "socket.socket | None"]
"""Sockets by protocol, address and number."""
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True, slots=True)
class PortRequest:
    """One binding as asked; ``first`` 0: any number."""

    protocol: str
    container_port: int
    host_ip: str = ""
    first: int = 0
    last: int = 0

    @property
    def key(self) -> str:
        """``80/tcp``."""
        return f"{self.container_port}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Binding:
    """One published port of a running container, its socket bound."""

    request: PortRequest
    host_ip: str
    host_port: int
    socket: socket.socket | None
    """None for SCTP where the kernel has no such sockets: the rules alone carry it then."""

    @property
    def version(self) -> int:
        return 6 if ":" in self.host_ip else 4

    @property
    def shown(self) -> dict[str, str]:
        """As in ``NetworkSettings.Ports``."""
        return {"HostIp": self.host_ip, "HostPort": str(self.host_port)}

    def rule(self, addresses: Mapping[int, str]) -> PortRule | None:
        """The rewriting rule; None where the container has no address of that IP version: it is relayed."""
        target = addresses.get(self.version)
        if target is None:
            return None
        address = "" if self.host_ip in (ANY4, ANY6) else self.host_ip
        return PortRule(self.request.protocol, address, self.host_port, target, self.request.container_port)

    def close(self) -> None:
        """Let go of the socket."""
        if self.socket is not None:
            self.socket.close()


def parse_port(text: str) -> tuple[int, str]:
    """``80/tcp`` or ``80``.

    Raises:
        Invalid: no port, or a protocol that cannot be published.
    """
    number, _, protocol = text.partition("/")
    protocol = (protocol or "tcp").lower()
    if protocol not in PROTOCOLS:
        raise Invalid(f"invalid proto: {protocol}")
    if not number.isdigit() or not 0 < int(number) <= 65535:
        raise Invalid(f'invalid port specification: "{number}"')
    return int(number), protocol


def _host_range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not text:
        return 0, 0
    if not first.isdigit() or (last and not last.isdigit()):
        raise Invalid(f'invalid port specification: "{text}"')
    low, high = int(first), int(last or first)
    if not low <= high <= 65535:
        raise Invalid(f'invalid port specification: "{text}"')
    return low, high


def requests(
    bindings: Mapping[str, Sequence[Mapping[str, Any]] | None] | None, exposed: Iterable[str], publish_all: bool
) -> list[PortRequest]:
    """What ``PortBindings``, ``ExposedPorts`` and ``PublishAllPorts`` ask for, in the order of port numbers.

    Raises:
        Invalid: a malformed port or address.
    """
    found = []
    given = bindings or {}
    for text, wanted in given.items():
        number, protocol = parse_port(text)
        for binding in wanted or [{}]:
            host_ip = binding.get("HostIp") or ""
            try:
                host_ip = str(parse_address(host_ip)) if host_ip else ""
            except ValueError:
                raise Invalid(f"invalid IP address: {host_ip}") from None
            first, last = _host_range(binding.get("HostPort") or "")
            found.append(PortRequest(protocol, number, host_ip, first, last))
    if publish_all:
        known = {parse_port(text) for text in given}
        found += [
            PortRequest(protocol, number)
            for number, protocol in map(parse_port, exposed)
            if (number, protocol) not in known
        ]
    return sorted(found, key=lambda one: (one.container_port, one.protocol, one.first))


def shown(bindings: Iterable[Binding], exposed: Iterable[str]) -> dict[str, list[dict[str, str]] | None]:
    """``NetworkSettings.Ports``: an exposed port that is not published is there with null."""
    found: dict[str, list[dict[str, str]] | None] = {}
    for binding in bindings:
        held = found.setdefault(binding.request.key, [])
        assert held is not None
        held.append(binding.shown)
    for text in exposed:
        number, _, protocol = text.partition("/")
        found.setdefault(f"{number}/{protocol or 'tcp'}", None)
    return found


class Ports:
    """Which numbers this engine has given out. Called from worker threads, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[str, int], set[str]] = {}
        self._next = 0

    def bind(
        self,
        request: PortRequest,
        default_ip: str,
        versions: Collection[int] = frozenset({4, 6}),
        bound: Bound | None = None,
    ) -> list[Binding]:
        """Take a number and bind its sockets: the same number on 0.0.0.0 and [::] when no address was asked.

        Args:
            default_ip: where the request names no address.
            versions: IP versions that are served where it names none.
            bound: sockets that are bound already, by protocol, address and number.

        Raises:
            System: taken, in dockerd's words: by another container, or by a process of the host.
        """
        addresses = [request.host_ip]
        if not request.host_ip:
            everywhere = [ANY4, ANY6] if default_ip == ANY4 and socket.has_ipv6 else [default_ip]
            addresses = [one for one in everywhere if (6 if ":" in one else 4) in versions]
        if not addresses:
            return []
        refusal: System | None = None
        for number in self._numbers(request):
            try:
                return self._bind(request, number, addresses, bound or {})
            except System as error:
                refusal = refusal or error
        raise refusal or System("all ports are allocated")

    def release(self, bindings: Iterable[Binding]) -> None:
        """Give numbers back."""
        for binding in bindings:
            binding.close()
            with self._lock:
                held = self._held.get((binding.request.protocol, binding.host_port), set())
                held.discard(binding.host_ip)
                if not held:
                    self._held.pop((binding.request.protocol, binding.host_port), None)

    def _numbers(self, request: PortRequest) -> Iterable[int]:
        if request.first:
            return range(request.first, request.last + 1)
        low, high = (int(word) for word in RANGE.read_text().split())
        with self._lock:
            start = self._next if low <= self._next <= high else low
            self._next = start + 1
        return itertools.chain(range(start, high + 1), range(low, start))

    def _bind(self, request: PortRequest, number: int, addresses: Sequence[str], held: Bound) -> list[Binding]:
        self._reserve(request.protocol, number, addresses)
        made: list[Binding] = []
        try:
            for address in addresses:
                bound = held.get((request.protocol, address, number)) or _socket(request.protocol, address, number)
                if bound is not None or request.protocol == "sctp":
                    made.append(Binding(request, address, number, bound))
        except System:
            self.release(made)
            self._forget(request.protocol, number, addresses)
            raise
        return made

    def _reserve(self, protocol: str, number: int, addresses: Sequence[str]) -> None:
        with self._lock:
            held = self._held.setdefault((protocol, number), set())
            for address in addresses:
                everywhere = ANY6 if ":" in address else ANY4
                rivals = {one for one in held if (":" in one) == (":" in address)}
                if rivals and (address == everywhere or everywhere in rivals or address in rivals):
                    raise System(f"Bind for {address}:{number} failed: port is already allocated")
            held |= set(addresses)

    def _forget(self, protocol: str, number: int, addresses: Sequence[str]) -> None:
        with self._lock:
            self._held.get((protocol, number), set()).difference_update(addresses)


def _socket(protocol: str, address: str, number: int) -> socket.socket | None:
    """A bound socket of the calling thread's namespace; None where the kernel has no IPv6, or no SCTP."""
    six = ":" in address
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    number_of = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}
    try:
        bound = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind, number_of[protocol])
    except OSError:
        if six or protocol == "sctp":
            return None
        raise
    try:
        if six:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, number))
        if protocol != "udp":
            bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        if six and error.errno == errno.EADDRNOTAVAIL and address == ANY6:
            return None
        shown = f"[{address}]" if six else address
        family = f"{protocol}{6 if six else 4}"
        raise System(f"listen {family} {shown}:{number}: bind: {_reason(error)}") from error
    return bound


def _reason(error: OSError) -> str:
    words = {
        errno.EADDRINUSE: "address already in use",
        errno.EADDRNOTAVAIL: "cannot assign requested address",
        errno.EACCES: "permission denied",
    }
    return words.get(error.errno or 0, str(error))
