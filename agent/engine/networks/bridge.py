"""The link of a bridge network: its making, its removal."""

import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from agent.engine.config import EngineConfig
from agent.engine.errors import System
from agent.engine.kernel.netlink import Links
from agent.engine.networks import options
from agent.engine.networks.firewall import BridgeRules
from agent.engine.networks.ipam import Plan
from agent.engine.networks.options import BridgeOptions
from agent.engine.state.records import NetworkRecord

SYSCTL = Path("/proc/sys/net")


def default_options(config: EngineConfig) -> dict[str, str]:
    """Options of the predefined network ``bridge``, as dockerd shows them."""
    wanted = config.default_network
    return {
        options.DEFAULT: "true",
        options.ICC: str(wanted.icc).lower(),
        options.MASQUERADE: str(wanted.masquerade).lower(),
        options.BINDING: config.default_publish_address,
        options.NAME: config.bridge,
        options.MTU: str(wanted.mtu),
    }


def read(record: NetworkRecord) -> BridgeOptions:
    """The options of a network that is there."""
    return options.read_bridge(record.id, record.options, internal=record.internal)


def rules_of(record: NetworkRecord, plans: Sequence[Plan]) -> BridgeRules:
    """What the firewall needs to know of this network."""
    found = read(record)
    return BridgeRules(
        found.link,
        tuple(str(one.subnet) for one in plans),
        internal=record.internal,
        masquerade=found.masquerade,
        icc=found.icc,
        modes={4: found.mode4, 6: found.mode6},
        hosts={4: found.host4, 6: found.host6},
    )


def sysctl(name: str, value: str) -> None:
    """Set ``net.<name>`` in the calling thread's namespace; a kernel without that setting has nothing to switch."""
    path = SYSCTL / name
    if path.exists() and path.read_text().strip() != value:
        path.write_text(value)


def ensure(record: NetworkRecord, plans: Sequence[Plan], owner: str) -> None:
    """Make the link, its addresses and the settings that it needs, where they are not there yet. The thread is at home.

    Args:
        owner: written on a link of ours as its alias, so that it is found again when nobody knows it any more.

    Raises:
        System: the kernel refused.
    """
    found = read(record)
    six = any(one.version == 6 for one in plans)
    made = False
    try:
        with Links() as links:
            made = _ensure_link(links, found)
            if six:
                # Until a link-local address is found to be unique (1 to 2 s), nothing is forwarded to a container.
                sysctl(f"ipv6/conf/{found.link}/accept_dad", "0")
                sysctl(f"ipv6/conf/{found.link}/disable_ipv6", "0")
            own = [(one.gateway, one.subnet.prefixlen) for one in _own(found, plans)]
            links.set_up(found.link, owner if made else "", own)
        sysctl("ipv4/ip_forward", "1")
        sysctl(f"ipv4/conf/{found.link}/route_localnet", "1")
        sysctl(f"ipv6/conf/{found.link}/accept_ra", "0")
        if six:
            _forward_ipv6()
        else:
            sysctl(f"ipv6/conf/{found.link}/disable_ipv6", "1")
    except OSError as error:
        if made:
            remove(found.link, owner)
        raise System(f"bridge {found.link} of network {record.name} cannot be set up: {error}") from error


def _forward_ipv6() -> None:
    """Let the host forward and still believe its routers: one that forwards takes no route of theirs unless told to."""
    if (SYSCTL / "ipv6/conf/all/forwarding").read_text().strip() == "1":
        return
    for setting in SYSCTL.glob("ipv6/conf/*/accept_ra"):
        if setting.parent.name not in ("all", "default") and setting.read_text().strip() == "1":
            setting.write_text("2")
    sysctl("ipv6/conf/all/forwarding", "1")


def _own(found: BridgeOptions, plans: Sequence[Plan]) -> list[Plan]:
    """Subnets in which the bridge itself has the gateway's address."""
    silent = {version for version in (4, 6) if found.mode(version) == "isolated"} | ({4} if found.inhibit4 else set())
    return [one for one in plans if one.version not in silent]


def _ensure_link(links: Links, found: BridgeOptions) -> bool:
    try:
        socket.if_nametoindex(found.link)
    except OSError:
        mac = "02:42:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(4))
        links.add_bridge(found.link, mac, found.mtu)
        return True
    return False


def remove(link: str, owner: str) -> None:
    """Take the link away; one that is gone already, or was there before us, is fine."""
    with Links() as links:
        links.delete_own(link, owner)
