"""One container's place in one network, and how inspect shows it. No IO."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.engine.networks.ipam import Address, Plan

Json = dict[str, Any]
SHORT_ID = 12
PREDEFINED = ("bridge", "host", "none")


@dataclass(frozen=True, slots=True)
class Assigned:
    """An address and the subnet that it is from."""

    address: Address
    plan: Plan


@dataclass(frozen=True, slots=True)
class Endpoint:
    """As it is while the container runs."""

    network_id: str
    network: str
    driver: str
    config: Json
    """Docker's EndpointSettings as asked."""
    aliases: tuple[str, ...] = ()
    id: str = ""
    mac: str = ""
    ifname: str = ""
    addresses: tuple[Assigned, ...] = ()
    internal: bool = False

    @property
    def veth(self) -> str:
        """The host's end, found again by the endpoint's id after a crash."""
        return f"veth{self.id[:7]}"

    def of_version(self, version: int) -> Assigned | None:
        """The IPv4 or IPv6 address, if it has one."""
        return next((one for one in self.addresses if one.address.version == version), None)

    def settings(self) -> Json:
        """``NetworkSettings.Networks[name]`` of inspect."""
        found = blank(self.config)
        found["Aliases"] = list(self.aliases) or None
        found["NetworkID"] = self.network_id
        found["EndpointID"] = self.id
        found["MacAddress"] = self.mac
        if four := self.of_version(4):
            found["Gateway"], found["IPAddress"] = str(four.plan.gateway), str(four.address)
            found["IPPrefixLen"] = four.plan.subnet.prefixlen
        if six := self.of_version(6):
            found["IPv6Gateway"], found["GlobalIPv6Address"] = str(six.plan.gateway), str(six.address)
            found["GlobalIPv6PrefixLen"] = six.plan.subnet.prefixlen
        return found


def new_id() -> str:
    """A random id of Docker's length."""
    return secrets.token_hex(32)


def blank(config: Mapping[str, Any] | None, network_id: str = "") -> Json:
    """EndpointSettings of a container that does not run."""
    given = config or {}
    return {
        "IPAMConfig": given.get("IPAMConfig"),
        "Links": given.get("Links"),
        "Aliases": given.get("Aliases"),
        "NetworkID": network_id,
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": "",
        "DriverOpts": given.get("DriverOpts"),
    }


def stopped(settings: Mapping[str, Any]) -> Json:
    """What remains of an endpoint's settings once its container has stopped: what was asked, and of which network."""
    return blank(settings, settings.get("NetworkID", ""))


def gateway(endpoints: Sequence[Endpoint], version: int) -> Assigned | None:
    """Whose gateway the default route uses: not of an internal network if that can be helped, then by name."""
    ordered = sorted(endpoints, key=lambda one: (one.internal, one.network))
    return next((found for one in ordered if (found := one.of_version(version)) is not None), None)
