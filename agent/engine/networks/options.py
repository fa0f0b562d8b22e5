"""Driver options of a network, read. Values to values, no IO.

Options that no driver of ours acts on are kept and shown, as dockerd does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.engine.errors import Invalid, System
from agent.engine.networks.ipam import parse_address

PREFIX = "com.docker.network."
NAME = f"{PREFIX}bridge.name"
DEFAULT = f"{PREFIX}bridge.default_bridge"
ICC = f"{PREFIX}bridge.enable_icc"
MASQUERADE = f"{PREFIX}bridge.enable_ip_masquerade"
BINDING = f"{PREFIX}bridge.host_binding_ipv4"
INHIBIT = f"{PREFIX}bridge.inhibit_ipv4"
MODE4, MODE6 = f"{PREFIX}bridge.gateway_mode_ipv4", f"{PREFIX}bridge.gateway_mode_ipv6"
HOST4, HOST6 = f"{PREFIX}host_ipv4", f"{PREFIX}host_ipv6"
IPV4, IPV6 = f"{PREFIX}enable_ipv4", f"{PREFIX}enable_ipv6"
MTU = f"{PREFIX}driver.mtu"
IFACE = f"{PREFIX}container_iface_prefix"
PARENT = "parent"

BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
GATEWAY_MODES = ("", "nat", "nat-unprotected", "routed", "isolated")
# linux/if_link.h: MACVLAN_MODE_*, IPVLAN_MODE_*, IPVLAN_F_*.
MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}
ON_PARENT = ("macvlan", "ipvlan")
# IFNAMSIZ less the closing NUL.
LINK_NAME_LENGTH = 15
_LINK_NAME = re.compile(r'[^\s/"\\:*]{1,15}')


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """Of the driver ``bridge``."""

    link: str
    mtu: int = 1500
    icc: bool = True
    masquerade: bool = True
    binding: str = ""
    """Host address of published ports that name none; empty: the engine's setting."""
    prefix: str = "eth"
    """Beginning of the link's name inside the container."""
    mode4: str = "nat"
    mode6: str = "nat"
    """``nat``, ``nat-unprotected``, ``routed`` or ``isolated``."""
    host4: str = ""
    host6: str = ""
    """Source address of what leaves the network, in place of the outgoing link's own."""
    inhibit4: bool = False
    """The bridge itself gets no IPv4 address."""

    def mode(self, version: int) -> str:
        """How the host is a gateway for IPv4 or IPv6."""
        return self.mode4 if version == 4 else self.mode6


@dataclass(frozen=True, slots=True)
class ParentOptions:
    """Of the drivers ``macvlan`` and ``ipvlan``."""

    parent: str
    """The host's link; one of ours where the client named none."""
    own: bool
    """The client named none: nothing leaves the network."""
    mode: str
    flag: str = "bridge"

    @property
    def alone(self) -> bool:
        """Nobody else may use the parent."""
        return self.mode == "passthru"

    @property
    def direct(self) -> bool:
        """Packets for everywhere leave by the link itself; there is no gateway."""
        return self.mode in ("l3", "l3s")


def unparsed(key: str, value: str, reason: str) -> Invalid:
    """dockerd's words for a value that is none."""
    return Invalid(f"failed to parse {key} value: {value} ({reason})")


def flag(options: Mapping[str, str], key: str, default: bool) -> bool:
    """A boolean as Go reads it.

    Raises:
        Invalid: none.
    """
    text = options.get(key, "")
    if key not in options:
        return default
    if text not in BOOLEANS:
        raise unparsed(key, text, f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return BOOLEANS[text]


def _mtu(options: Mapping[str, str]) -> int:
    text = options.get(MTU, "0")
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise unparsed(MTU, text, f'strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text) or 1500
    if not 68 <= number <= 65535:
        raise Invalid(f"invalid MTU number: {text}")
    return number


def _host_address(options: Mapping[str, str], key: str, version: int) -> str:
    text = options.get(key, "")
    if not text:
        return ""
    try:
        address = parse_address(text)
    except ValueError:
        raise unparsed(key, text, "nil ip") from None
    if version and address.version != version:
        raise unparsed(key, text, f"not an IPv{version} address")
    return str(address)


def _gateway_mode(options: Mapping[str, str], key: str, internal: bool) -> str:
    mode = options.get(key, "")
    if mode not in GATEWAY_MODES:
        raise unparsed(key, mode, f"unknown gateway mode {mode}")
    if mode == "isolated" and not internal:
        raise System("gateway mode 'isolated' can only be used for an internal network")
    return mode or "nat"


def check_link_name(name: str) -> str:
    """A name that a link can have.

    Raises:
        Invalid: it cannot; in the words that dockerd has from the kernel.
    """
    if len(name) > LINK_NAME_LENGTH:
        raise Invalid("failed to check bridge interface existence: numerical result out of range")
    if not _LINK_NAME.fullmatch(name) or name in (".", ".."):
        raise Invalid("invalid argument")
    return name


def read_bridge(network_id: str, options: Mapping[str, str], *, internal: bool = False) -> BridgeOptions:
    """Options of a bridge network.

    Raises:
        Invalid: a value that is none.
        System: a mode that needs an internal network.
    """
    prefix = options.get(IFACE) or "eth"
    check_link_name(f"{prefix}00")
    return BridgeOptions(
        link=check_link_name(options.get(NAME) or f"br-{network_id[:12]}"),
        mtu=_mtu(options),
        icc=flag(options, ICC, True),
        masquerade=flag(options, MASQUERADE, True),
        binding=_host_address(options, BINDING, 0),
        prefix=prefix,
        mode4=_gateway_mode(options, MODE4, internal),
        mode6=_gateway_mode(options, MODE6, internal),
        host4=_host_address(options, HOST4, 4),
        host6=_host_address(options, HOST6, 6),
        inhibit4=flag(options, INHIBIT, False),
    )


def read_parent(network_id: str, driver: str, options: Mapping[str, str]) -> ParentOptions:
    """Options of a macvlan or ipvlan network.

    Raises:
        System: a value that is none. Docker answers 500 to these.
    """
    modes, default = (MACVLAN_MODES, "bridge") if driver == "macvlan" else (IPVLAN_MODES, "l2")
    mode = options.get(f"{driver}_mode") or default
    if mode not in modes:
        raise System(f"requested {driver} mode '{mode}' is not valid, '{default}' mode is the {driver} driver default")
    kind = (options.get("ipvlan_flag") if driver == "ipvlan" else "") or "bridge"
    if kind not in IPVLAN_FLAGS:
        raise System(f"requested ipvlan flag '{kind}' is not valid, 'bridge' is the ipvlan driver default")
    parent = options.get(PARENT, "")
    if parent == "lo":
        raise System(f"loopback interface is not a valid {driver} parent link")
    if parent:
        check_link_name(parent)
    return ParentOptions(parent or f"dm-{network_id[:12]}", not parent, mode, kind)


def split_vlan(name: str) -> tuple[str, int]:
    """``eth0.10`` as link and VLAN.

    Raises:
        System: it is neither a link that is there nor one of these, in dockerd's words.
    """
    if "." not in name:
        raise System(f"invalid subinterface vlan name {name}, example formatting is eth0.10")
    parts = name.split(".")
    if len(parts) != 2:
        raise System(
            f"required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received {name}"
        )
    if not re.fullmatch(r"\d{1,9}", parts[1], re.ASCII):
        raise System(f"unable to parse a valid vlan id from: {parts[1]} (ex. eth0.10 for vlan 10)")
    if not 1 <= int(parts[1]) <= 4094:
        raise System(f"vlan id must be between 1-4094, received: {int(parts[1])}")
    return parts[0], int(parts[1])
