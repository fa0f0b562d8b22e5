"""The command line of ``python -m agent engine`` as a configuration."""

import argparse
import os
import shlex
from collections.abc import Sequence
from ipaddress import IPv6Network, ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

from agent.engine.config import (
    JOURNAL_SOCKET,
    MAX_SOCKET_PATH,
    PLUGIN_DIRECTORIES,
    DefaultNetwork,
    EngineConfig,
    TcpDoor,
)
from agent.engine.containers.logs.drivers import options as logdrivers
from agent.engine.errors import Invalid
from agent.engine.runtime.runtimes import ALIAS
from agent.engine.storage.drivers.choice import NAMES as DRIVERS

BRIDGE = "longshore0"
RESERVED = ("crun", "runc", ALIAS)
"""Names of runtimes that mean what they say."""


class _Parser(argparse.ArgumentParser):
    """Files of options have ``--name value`` or ``--name=value`` on a line, comments after #, and empty lines."""

    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        """One line of such a file."""
        return shlex.split(arg_line, comments=True)


def parse(argv: Sequence[str]) -> EngineConfig:
    """The command line as a configuration.

    Raises:
        Invalid: an option's value cannot be: a socket's path too long for an address, TCP without TLS, …
    """
    parser = _Parser(
        prog="agent engine", description="Run the container engine. @FILE: more options, one a line.",
        fromfile_prefix_chars="@",
    )  # fmt: skip
    parser.add_argument("--root", type=Path, required=True, help="data root")
    parser.add_argument("--socket", type=Path, required=True, help="where the Docker Engine API is served")
    parser.add_argument("--netns", type=Path, help="network namespace for bridges, ports and rules")
    parser.add_argument("--cgroup-parent", default="", help="parent cgroup (default: /longshore-<hash of root>)")
    parser.add_argument("--tcp", default="", metavar="HOST:PORT", help="serve the API here too, with mutual TLS")
    parser.add_argument("--tlscacert", type=Path, help="whose certificates clients must have (PEM)")
    parser.add_argument("--tlscert", type=Path, help="the engine's certificate (PEM)")
    parser.add_argument("--tlskey", type=Path, help="and its key (PEM)")
    parser.add_argument("--socket-group", default="", help="group that may use the socket")
    parser.add_argument("--runtime", default="", help="name of the default OCI runtime: crun, runc, or one added")
    parser.add_argument("--add-runtime", action="append", default=[], help="NAME=PATH of a further OCI runtime")
    parser.add_argument("--storage-driver", default="", choices=["", *DRIVERS], help="of a new data root")
    parser.add_argument("--userns-remap", default="", help="user namespaces: default, or USER[:GROUP] of /etc/subuid")
    parser.add_argument("--default-capabilities", default="podman", choices=["podman", "docker"])
    parser.add_argument("--insecure-registry", action="append", default=[], help="registry without TLS: host:port")
    parser.add_argument("--layer-bytes", type=int, default=20 << 30, help="unpacked size of a layer at most")
    parser.add_argument("--layer-entries", type=int, default=1_000_000, help="files of a layer at most")
    parser.add_argument("--disk-floor", type=int, default=5, help="percent of the disk that unpacking leaves free")
    parser.add_argument("--plugin-directory", action="append", type=Path, help="of volume plugins (default: Docker's)")
    parser.add_argument("--log-driver", default="json-file", help="of containers that name none")
    parser.add_argument("--log-opt", action="append", default=[], help="key=value for that driver")
    _networks(parser)
    parser.add_argument("--journal-socket", type=Path, default=JOURNAL_SOCKET, help=argparse.SUPPRESS)
    parser.add_argument("--label", action="append", default=[], help="key=value shown by docker info")
    parser.add_argument("--debug", action="store_true", help="log more")
    options = parser.parse_args(argv)
    log_options = dict(option.partition("=")[::2] for option in options.log_opt)
    logdrivers.check(options.log_driver, log_options)
    socket = options.socket.absolute()
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH:
        raise Invalid(f"the socket's path is longer than {MAX_SOCKET_PATH} bytes: {socket}")
    return EngineConfig(
        root=options.root,
        socket=socket,
        tcp=_door(options.tcp, options.tlscacert, options.tlscert, options.tlskey),
        netns=options.netns,
        cgroup_parent=options.cgroup_parent,
        socket_group=options.socket_group,
        runtime=options.runtime,
        runtimes=tuple(_runtime(text) for text in options.add_runtime),
        storage_driver=options.storage_driver,
        userns_remap=options.userns_remap,
        default_capabilities=options.default_capabilities,
        insecure_registries=tuple(options.insecure_registry),
        layer_bytes=options.layer_bytes,
        layer_entries=options.layer_entries,
        disk_floor=options.disk_floor,
        log_driver=options.log_driver,
        log_options=log_options,
        journal_socket=options.journal_socket,
        labels=tuple(options.label),
        **_network_settings(options),
        plugin_directories=tuple(options.plugin_directory or PLUGIN_DIRECTORIES),
        debug=options.debug,
    )


def _networks(parser: argparse.ArgumentParser) -> None:
    """Docker's names, where it has one."""
    group = parser.add_argument_group("networks")
    group.add_argument("--ip", default="0.0.0.0", help="address of published ports that name none")  # noqa: S104
    group.add_argument("--bridge", default=BRIDGE, help=f"link of the default network (default: {BRIDGE})")
    group.add_argument("--bip", default="", help="its address, as 172.17.0.1/16")
    group.add_argument("--fixed-cidr", default="", help="where its containers' IPv4 addresses are taken from")
    group.add_argument("--fixed-cidr-v6", default="", help="its IPv6 subnet (default: no IPv6)")
    group.add_argument("--mtu", type=int, default=1500, help="of its links")
    group.add_argument("--no-icc", action="store_true", help="its containers may not talk to each other")
    group.add_argument("--no-ip-masq", action="store_true", help="what leaves it keeps its own address")
    group.add_argument("--default-address-pool", action="append", default=[], help="BASE:SIZE of other networks")


def _network_settings(options: argparse.Namespace) -> dict[str, Any]:
    default = DefaultNetwork(
        address=options.bip,
        range=options.fixed_cidr,
        subnet6=options.fixed_cidr_v6,
        mtu=options.mtu,
        icc=not options.no_icc,
        masquerade=not options.no_ip_masq,
    )
    try:
        if "%" in f"{options.ip}{options.bip}{options.fixed_cidr}{options.fixed_cidr_v6}":
            raise ValueError("it has a zone")
        ip_address(options.ip)
        ip_interface(options.bip or "::")
        ip_network(options.fixed_cidr or "::")
        IPv6Network(options.fixed_cidr_v6 or "::")
        for pool in options.default_address_pool:
            base, _, size = pool.rpartition(":")
            next(ip_network(base).subnets(new_prefix=int(size)))
    except ValueError as error:
        raise Invalid(f"an address of a network is none: {error}") from None
    found = {"bridge": options.bridge, "default_publish_address": options.ip, "default_network": default}
    return found | ({"address_pools": tuple(options.default_address_pool)} if options.default_address_pool else {})


def _runtime(text: str) -> tuple[str, str]:
    name, equals, program = text.partition("=")
    if not name or not equals or not program.startswith("/"):
        raise Invalid(f"--add-runtime wants NAME=PATH, not {text}")
    if name in RESERVED:
        raise Invalid(f"runtime name '{name}' is reserved")
    return name, program


def _door(address: str, authority: Path | None, certificate: Path | None, key: Path | None) -> TcpDoor | None:
    if not address:
        if authority or certificate or key:
            raise Invalid("--tlscacert, --tlscert and --tlskey are for --tcp")
        return None
    if authority is None or certificate is None or key is None:
        raise Invalid("--tcp needs --tlscacert, --tlscert and --tlskey: plain TCP would make every caller root here")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise Invalid(f"--tcp wants HOST:PORT, not {address!r}")
    return TcpDoor(host.strip("[]"), int(port), authority, certificate, key)
