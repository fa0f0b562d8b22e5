"""The link of a bridge network: its options, its making, its removal."""

import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import Invalid, System
from agent.engine.kernel.netlink import Links
from agent.engine.networks.firewall import BridgeRules
from agent.engine.networks.ipam import Plan
from agent.engine.state.records import NetworkRecord

NAME = "com.docker.network.bridge.name"
DEFAULT = "com.docker.network.bridge.default_bridge"
ICC = "com.docker.network.bridge.enable_icc"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
BINDING = "com.docker.network.bridge.host_binding_ipv4"
MTU = "com.docker.network.driver.mtu"
# IFNAMSIZ less the closing NUL.
LINK_NAME_LENGTH = 15
SYSCTL = Path("/proc/sys/net")


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """Driver options, read."""

    link: str
    mtu: int = 1500
    icc: bool = True
    masquerade: bool = True
    binding: str = ""
    """Host address of published ports that name none; empty: the engine's setting."""


def default_options(link: str, binding: str) -> dict[str, str]:
    """Options of the predefined network ``bridge``, as dockerd shows them."""
    return {
        DEFAULT: "true",
        ICC: "true",
        MASQUERADE: "true",
        BINDING: binding,
        NAME: link,
        MTU: "1500",
    }


def _flag(options: dict[str, str], key: str) -> bool:
    text = options.get(key, "true").lower()
    if text not in {"1", "t", "true", "0", "f", "false"}:
        raise Invalid(f'invalid value for {key}: "{options[key]}"')
    return text in {"1", "t", "true"}


def read_options(network_id: str, options: dict[str, str]) -> BridgeOptions:
    """Understand the options that we act on; others are kept and shown, as dockerd does.

    Raises:
        Invalid: a value that is none.
    """
    mtu = options.get(MTU, "1500")
    if not mtu.isdigit() or not 68 <= int(mtu) <= 65535:
        raise Invalid(f'invalid value for {MTU}: "{mtu}"')
    link = options.get(NAME) or f"br-{network_id[:12]}"
    if len(link) > LINK_NAME_LENGTH or "/" in link or any(letter.isspace() or letter in '"\\' for letter in link):
        raise Invalid(f'invalid value for {NAME}: "{link}"; a link\'s name has at most {LINK_NAME_LENGTH} characters')
    return BridgeOptions(link, int(mtu), _flag(options, ICC), _flag(options, MASQUERADE), options.get(BINDING, ""))


def rules_of(record: NetworkRecord, plans: Sequence[Plan]) -> BridgeRules:
    """What the firewall needs to know of this network."""
    options = read_options(record.id, record.options)
    return BridgeRules(
        options.link, tuple(str(one.subnet) for one in plans), record.internal, options.masquerade, options.icc
    )


def sysctl(name: str, value: str) -> None:
    """Set ``net.<name>`` in the calling thread's namespace; a kernel without that setting has nothing to switch."""
    path = SYSCTL / name
    if path.exists() and path.read_text().strip() != value:
        path.write_text(value)


def ensure(record: NetworkRecord, plans: Sequence[Plan], owner: str) -> None:
    """Make the link, its addresses and the settings that it needs, where they are not there yet. The thread is at home.

    Args:
        owner: written on the link as its alias, so that it is found again when nobody knows it any more.

    Raises:
        System: the kernel refused.
    """
    options = read_options(record.id, record.options)
    made = False
    try:
        with Links() as links:
            made = _ensure_link(links, options)
            links.set_up(options.link, owner, [(one.gateway, one.subnet.prefixlen) for one in plans])
        sysctl("ipv4/ip_forward", "1")
        sysctl(f"ipv4/conf/{options.link}/route_localnet", "1")
        sysctl(f"ipv6/conf/{options.link}/accept_ra", "0")
        six = any(one.version == 6 for one in plans)
        sysctl("ipv6/conf/all/forwarding" if six else f"ipv6/conf/{options.link}/disable_ipv6", "1")
    except OSError as error:
        if made:
            remove(options.link)
        raise System(f"bridge {options.link} of network {record.name} cannot be set up: {error}") from error


def _ensure_link(links: Links, options: BridgeOptions) -> bool:
    try:
        socket.if_nametoindex(options.link)
    except OSError:
        mac = "02:42:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(4))
        links.add_bridge(options.link, mac, options.mtu)
        return True
    return False


def remove(link: str) -> None:
    """Take the link away; one that is gone already is fine."""
    with Links() as links:
        links.delete(link)
