"""The address plan: subnets of networks, addresses of endpoints. Values to values, no IO.

Docker's rules and words: a network takes a free subnet from the pools or the one that it was given; its gateway is the
one given or the first address; an endpoint takes the lowest free address.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

from agent.engine.errors import Denied, Invalid, System, Unavailable

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network

IN_USE = "Address already in use"
OUT_OF_RANGE = "Requested address is out of range"
OVERLAP = "Pool overlaps with other one on this address space"


@dataclass(frozen=True, slots=True)
class Plan:
    """One subnet of a network."""

    subnet: Subnet
    gateway: Address
    range: Subnet
    """Where endpoints without an address of their own are put; within the subnet."""
    reserved: frozenset[Address] = frozenset()
    """The gateway, auxiliary addresses, network and broadcast address."""
    auxiliary: tuple[tuple[str, str], ...] = ()

    @property
    def version(self) -> int:
        return self.subnet.version

    def as_json(self) -> dict[str, Any]:
        """For a record: Docker's names."""
        found: dict[str, Any] = {"Subnet": str(self.subnet), "Gateway": str(self.gateway)}
        if self.range != self.subnet:
            found["IPRange"] = str(self.range)
        if self.auxiliary:
            found["AuxiliaryAddresses"] = dict(self.auxiliary)
        return found


def parse_address(text: str) -> Address:
    """An address without a zone: whatever stands behind ``%`` would go wherever the address is written.

    Raises:
        ValueError: none.
    """
    if "%" in text:
        raise ValueError(f"{text!r} has a zone")
    return ip_address(text)


def _subnet(text: str) -> Subnet:
    try:
        if "/" not in text or "%" in text:
            raise ValueError
        return ip_network(text, strict=False)
    except ValueError:
        raise System(f"Invalid subnet {text} : invalid CIDR address: {text}") from None


def _address(text: str) -> Address:
    try:
        return parse_address(text.split("/", maxsplit=1)[0])
    except ValueError:
        raise Invalid(f"invalid IP address: {text}") from None


def edges(subnet: Subnet) -> frozenset[Address]:
    """Addresses that no interface can have: the network's own and, with IPv4, the broadcast address."""
    if subnet.num_addresses <= 2:
        return frozenset()
    if isinstance(subnet, IPv4Network):
        return frozenset({subnet.network_address, subnet.broadcast_address})
    return frozenset({subnet.network_address})


def plan(config: Mapping[str, Any], network: str = "") -> Plan:
    """A subnet as a client gave it: ``{"Subnet", "Gateway", "IPRange", "AuxiliaryAddresses"}``.

    Args:
        network: its name, for messages.

    Raises:
        System, Denied, Invalid: the subnet is malformed, an address lies outside of it or is given twice.
    """
    subnet = _subnet(config.get("Subnet") or "")
    range_ = _range(subnet, config["IPRange"]) if config.get("IPRange") else subnet
    taken = set(edges(subnet))
    if config.get("Gateway"):
        try:
            gateway = _address(config["Gateway"])
        except Invalid:
            raise System(f"invalid gateway address {config['Gateway']} in Ipam configuration") from None
        if gateway not in subnet:
            raise System(f"failed to allocate gateway ({gateway}): {OUT_OF_RANGE}")
        if gateway in taken:
            raise System(f"failed to allocate gateway ({gateway}): {IN_USE}")
    else:
        found = _lowest(range_, taken) or _lowest(subnet, taken)
        if found is None or subnet.num_addresses <= 2:
            raise System("failed to allocate gateway (): No available addresses on this pool")
        gateway = found
    taken.add(gateway)
    auxiliary = tuple(sorted((config.get("AuxiliaryAddresses") or {}).items()))
    for name, text in auxiliary:
        try:
            address = _address(text)
        except Invalid:
            raise System(f"non parsable secondary ip address ({name}:{text}) passed for network {network}") from None
        if address not in subnet:
            raise Denied(f"auxiliary address: ({name}:{text}) must belong to the master pool: {subnet}")
        if address in taken:
            raise System(f"failed to allocate secondary ip address ({name}:{text}): {IN_USE}")
        taken.add(address)
    return Plan(subnet, gateway, range_, frozenset(taken), auxiliary)


def default_configs(address: str, range_: str, subnet6: str) -> list[dict[str, str]]:
    """Subnets of the default network as an administrator gave them: the bridge's address, where to take others from."""
    found = []
    if address or range_:
        whole = ip_interface(address or range_)
        config = {"Subnet": str(whole.network)} | ({"IPRange": str(ip_network(range_))} if range_ else {})
        found.append(config | ({"Gateway": str(whole.ip)} if address else {}))
    if subnet6:
        found.append({"Subnet": str(ip_network(subnet6))})
    return found


def _range(subnet: Subnet, text: str) -> Subnet:
    try:
        found = _subnet(text)
    except System:
        raise System(
            f'failed to parse pool request for address space "LocalDefault" pool "{subnet}" subpool "{text}": '
            "Invalid Address SubPool"
        ) from None
    if found.version != subnet.version or not _within(found, subnet):
        raise Invalid(
            f"invalid network config:\ninvalid ip-range {found}: parent subnet {subnet} doesn't contain ip-range"
        )
    return found


def check_overlap(subnet: Subnet, others: Iterable[Subnet]) -> None:
    """Two networks of one engine never share an address.

    Raises:
        Denied: it overlaps one of the others.
    """
    if any(overlap(subnet, other) for other in others):
        raise Denied(OVERLAP)


def overlap(one: Subnet, other: Subnet) -> bool:
    """They share an address."""
    return one.version == other.version and one.overlaps(other)


def unique_local_pool(key: str) -> str:
    """An engine's own prefix of IPv6 subnets, a /64 for each network: RFC 4193.

    Args:
        key: at least ten hexadecimal digits that no other engine has.
    """
    return f"fd{key[:2]}:{key[2:6]}:{key[6:10]}::/48:64"


def candidates(pools: Iterable[str]) -> Iterator[Subnet]:
    """Subnets of the pools, written ``BASE:SIZE``, in order."""
    for pool in pools:
        base, _, size = pool.rpartition(":")
        yield from ip_network(base).subnets(new_prefix=int(size))


def free_subnet(pools: Sequence[str], taken: Collection[Subnet]) -> Subnet:
    """The first subnet of the pools that overlaps nothing: neither a network of ours nor a route of the host.

    Raises:
        Unavailable: all are in use.
    """
    for candidate in candidates(pools):
        if not any(overlap(candidate, other) for other in taken):
            return candidate
    raise Unavailable(
        "could not find an available, non-overlapping address pool among the defaults to assign to the network"
    )


def free_address(plans: Sequence[Plan], taken: Collection[Address], network: str) -> tuple[Plan, Address]:
    """The lowest free address of the first range that has one.

    Args:
        network: ``NAME (ID)`` for the message.

    Raises:
        Unavailable: none is left.
    """
    for one in plans:
        found = _lowest(one.range, one.reserved | frozenset(taken))
        if found is not None:
            return one, found
    raise Unavailable(f"no available IPv{plans[0].version} addresses on this network's address pools: {network}")


def static_address(plans: Sequence[Plan], text: str, taken: Collection[Address]) -> tuple[Plan, Address]:
    """An address that the client chose, and the subnet that holds it.

    Raises:
        Invalid: no address.
        System: in no subnet of the network.
        Denied: somebody has it.
    """
    address = _address(text)
    for one in plans:
        if address in one.subnet:
            if address in one.reserved or address in taken:
                raise Denied(IN_USE)
            return one, address
    raise System(f"Invalid address {address}: It does not belong to any of this network's subnets")


def mac_of(address: Address) -> str:
    """Docker's MAC for an address: 02:42 and the four (last) bytes."""
    return ":".join(f"{byte:02x}" for byte in b"\x02\x42" + address.packed[-4:])


def _within(inner: Subnet, outer: Subnet) -> bool:
    return inner.subnet_of(outer)  # type: ignore[arg-type]


def _lowest(subnet: Subnet, used: Collection[Address]) -> Address | None:
    # One more candidate than there are used addresses always holds a free one, if the subnet has any.
    first = int(subnet.network_address)
    kind: type[IPv4Address] | type[IPv6Address] = IPv4Address if isinstance(subnet, IPv4Network) else IPv6Address
    for offset in range(min(subnet.num_addresses, len(used) + 1)):
        address = kind(first + offset)
        if address not in used:
            return address
    return None
