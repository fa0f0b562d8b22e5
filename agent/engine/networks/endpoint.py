"""One container's place in one network, and how inspect shows it. No IO."""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from agent.engine.errors import Invalid
from agent.engine.networks.ipam import Address, Plan, parse_address
from agent.engine.networks.options import check_link_name

Json = dict[str, Any]
SHORT_ID = 12
PREDEFINED = ("bridge", "host", "none")
SYSCTLS = "com.docker.network.endpoint.sysctls"
IFNAME = "com.docker.network.endpoint.ifname"
# Nothing but a setting of one link of the namespace may be reached by it.
_SYSCTL = re.compile(r"net\.(ipv4|ipv6|mpls)\.([a-z0-9_]+)\.(?:IFNAME|ifname)\.([a-z0-9_]+)=([^,]*)", re.ASCII)
LINK_LOCAL_PREFIX = {4: 16, 6: 64}


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
    routed: frozenset[int] = frozenset({4, 6})
    """IP versions whose packets for everywhere may leave by this network."""
    direct: bool = False
    """They leave by the link itself, not by a gateway."""

    @property
    def veth(self) -> str:
        """The host's end, found again by the endpoint's id after a crash."""
        return f"veth{self.id[:7]}"

    @property
    def bridged(self) -> bool:
        """It has an end in a bridge of ours, so that our rules see its packets."""
        return self.driver == "bridge" and bool(self.addresses)

    @property
    def priority(self) -> int:
        """Of several networks the one of the highest gives the default route."""
        return int(self.config.get("GwPriority") or 0)

    def of_version(self, version: int) -> Assigned | None:
        """The IPv4 or IPv6 address, if it has one."""
        return next((one for one in self.addresses if one.address.version == version), None)

    def gateway(self, version: int) -> Address | None:
        """Where packets for everywhere go."""
        found = self.of_version(version)
        return found.plan.gateway if found and version in self.routed and not self.direct else None

    def leads_out(self, version: int) -> bool:
        """It can give a default route."""
        return version in self.routed and self.of_version(version) is not None

    def link_local(self) -> list[Address]:
        """Further addresses, as asked."""
        return [ip_address(text) for text in (self.config.get("IPAMConfig") or {}).get("LinkLocalIPs") or ()]

    def configured(self) -> Iterator[tuple[Address, int]]:
        """Every address of the link, with its prefix length."""
        for one in self.addresses:
            yield one.address, one.plan.subnet.prefixlen
        for address in self.link_local():
            yield address, LINK_LOCAL_PREFIX[address.version]

    def sysctls(self) -> list[tuple[str, str]]:
        """Settings of the link: file below /proc/sys/net, value."""
        found = [_SYSCTL.fullmatch(text) for text in _sysctls(self.config)]
        return [(f"{one[1]}/{one[2]}/{self.ifname}/{one[3]}", one[4]) for one in found if one]

    def settings(self) -> Json:
        """``NetworkSettings.Networks[name]`` of inspect."""
        found = blank(self.config)
        found["Aliases"] = list(self.aliases) or None
        found["NetworkID"] = self.network_id
        found["EndpointID"] = self.id
        found["MacAddress"] = self.mac
        if four := self.of_version(4):
            found["Gateway"], found["IPAddress"] = str(self.gateway(4) or ""), str(four.address)
            found["IPPrefixLen"] = four.plan.subnet.prefixlen
        if six := self.of_version(6):
            found["IPv6Gateway"], found["GlobalIPv6Address"] = str(self.gateway(6) or ""), str(six.address)
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
        "MacAddress": given.get("MacAddress") or "",
        "DriverOpts": given.get("DriverOpts"),
        **({"GwPriority": given["GwPriority"]} if given.get("GwPriority") else {}),
    }


def stopped(settings: Mapping[str, Any]) -> Json:
    """What remains of an endpoint's settings once its container has stopped: what was asked, and of which network."""
    return blank({**settings, "MacAddress": ""}, settings.get("NetworkID", ""))


def ordered(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """As dockerd ranks them for the default route: by priority, not internal, most ways out, name."""
    return sorted(
        endpoints,
        key=lambda one: (-one.priority, one.internal, -(one.leads_out(4) + one.leads_out(6)), one.network),
    )


def default_way(endpoints: Sequence[Endpoint], version: int) -> Endpoint | None:
    """By which network packets for everywhere leave."""
    return next((one for one in ordered(endpoints) if one.leads_out(version)), None)


def check_shape(config: Any) -> None:
    """EndpointSettings are what they should be made of.

    Raises:
        Invalid: they are not.
    """
    if not isinstance(config, dict) or not all(
        isinstance(config.get(key) or {}, dict) for key in ("IPAMConfig", "DriverOpts")
    ):
        raise Invalid("EndpointSettings, IPAMConfig and DriverOpts must be objects")
    if not isinstance(config.get("GwPriority") or 0, int):
        raise Invalid("GwPriority must be a number")
    texts = [config.get(key) or [] for key in ("Aliases", "Links")]
    texts.append((config.get("IPAMConfig") or {}).get("LinkLocalIPs") or [])
    if not all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in texts):
        raise Invalid("Aliases, Links and LinkLocalIPs must be lists of strings")


def check_options(config: Mapping[str, Any]) -> None:
    """Options of an endpoint that we act on.

    Raises:
        Invalid: one is none, in dockerd's words.
    """
    for text in _sysctls(config):
        if not _SYSCTL.fullmatch(text):
            raise Invalid(
                f"unrecognised network interface sysctl '{text}'; represent 'net.X.Y.ethN.Z=V' as "
                "'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
            )
    ifname = (config.get("DriverOpts") or {}).get(IFNAME)
    if ifname:
        check_link_name(str(ifname))
    mac = config.get("MacAddress") or ""
    if not isinstance(mac, str) or (mac and not re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", mac)):
        raise Invalid(f"invalid MAC address: {mac}")
    for text in (config.get("IPAMConfig") or {}).get("LinkLocalIPs") or ():
        try:
            good = not parse_address(text).is_unspecified
        except ValueError:
            good = False
        if not good:
            raise Invalid(f"invalid link-local IP address: {text}")


def _sysctls(config: Mapping[str, Any]) -> list[str]:
    text = (config.get("DriverOpts") or {}).get(SYSCTLS) or ""
    return text.split(",") if text else []
