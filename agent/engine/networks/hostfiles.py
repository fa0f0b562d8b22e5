"""``/etc/hosts``, ``/etc/resolv.conf`` and ``/etc/hostname`` of a container, as dockerd writes them."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

LOCAL = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::0", "ip6-localnet"),
    ("ff00::0", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)
EMBEDDED = "127.0.0.11"
# Docker's choice where the host has no resolver that a container could reach.
FALLBACK = ("8.8.8.8", "8.8.4.4")


@dataclass(frozen=True, slots=True)
class Resolv:
    """What a resolv.conf says."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def hosts(addresses: Iterable[str], names: str, extra: Iterable[tuple[str, str]]) -> str:
    """The hosts file: the usual lines, ``--add-host``, and one line for each address of the container's own.

    Args:
        addresses: of its endpoints.
        names: its hostname, and the full name before it where it has a domain.
        extra: address and name.
    """
    lines = [*LOCAL, *extra, *((address, names) for address in addresses)]
    return "".join(f"{address}\t{name}\n" for address, name in lines)


def parse_resolv(text: str) -> Resolv:
    """Read a resolv.conf; comments and what it does not know are left out."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        word, *rest = line.split("#", maxsplit=1)[0].split(";", maxsplit=1)[0].split() or [""]
        if word == "nameserver" and rest:
            servers.append(rest[0])
        elif word in ("search", "domain") and rest:
            search = tuple(rest)
        elif word == "options":
            options.extend(rest)
    return Resolv(tuple(servers), search, tuple(options))


def reachable(servers: Iterable[str]) -> tuple[str, ...]:
    """Servers without those on the host's loopback, which in a container would be the container's own."""
    found = []
    for server in servers:
        try:
            if not ip_address(server.split("%", maxsplit=1)[0]).is_loopback:
                found.append(server)
        except ValueError:
            continue
    return tuple(found)


def upstream(host: Resolv, dns: Sequence[str]) -> tuple[str, ...]:
    """Whom the engine's own resolver asks: it does so from where the engine is, so the host's loopback will do."""
    return tuple(dns) or host.nameservers or FALLBACK


def wanted(host: Resolv, dns: Sequence[str], search: Sequence[str], options: Sequence[str]) -> Resolv:
    """The host's settings, each replaced by what the container was given. A search of ``.`` means none."""
    chosen = tuple(search) or host.search
    return Resolv(
        nameservers=tuple(dns) or reachable(host.nameservers) or FALLBACK,
        search=() if chosen == (".",) else chosen,
        options=tuple(options) or host.options,
    )


def embedded(settings: Resolv) -> Resolv:
    """The same with the engine's own resolver, which asks those servers in turn."""
    options = settings.options
    if not any(option.startswith("ndots:") for option in options):
        options = (*options, "ndots:0")
    return Resolv((EMBEDDED,), settings.search, options)


def resolv(settings: Resolv) -> str:
    """The file's text."""
    lines = [f"search {' '.join(settings.search)}\n"] if settings.search else []
    lines += [f"nameserver {server}\n" for server in settings.nameservers]
    lines += [f"options {' '.join(settings.options)}\n"] if settings.options else []
    return "".join(lines)


@dataclass(frozen=True, slots=True)
class HostFiles:
    """Where one container's files lie. They are bound into it, so a change must write the same inode."""

    directory: Path

    @property
    def hosts(self) -> Path:
        return self.directory / "hosts"

    @property
    def resolv(self) -> Path:
        return self.directory / "resolv.conf"

    @property
    def hostname(self) -> Path:
        return self.directory / "hostname"

    def write(
        self,
        *,
        hosts: str | None = None,
        resolv: str | None = None,
        hostname: str | None = None,
        owner: tuple[int, int] | None = None,
    ) -> None:
        """Write what is given, in place; with an owner where root of the container is not the host's."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for path, text in ((self.hosts, hosts), (self.resolv, resolv), (self.hostname, hostname)):
            if text is not None:
                path.write_text(text)
                path.chmod(0o644)
                if owner is not None:
                    os.chown(path, *owner)
