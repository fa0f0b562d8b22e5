"""What machine this is: names and sizes for people to read."""

import os
import platform
import re
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def architecture() -> str:
    """Docker's word for the processor: ``amd64``."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def operating_system(release: str | None = None) -> tuple[str, str]:
    """Name and version from os-release: ``Debian GNU/Linux 12 (bookworm)``, ``12``."""
    try:
        text = Path("/etc/os-release").read_text() if release is None else release
    except OSError:
        text = ""
    found = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return found.get("PRETTY_NAME", "Linux"), found.get("VERSION_ID", "")


def memory() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def forwards() -> bool:
    """The network namespace of this process forwards IPv4."""
    try:
        return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"
    except OSError:
        return False


def uname() -> tuple[str, str, str, str, str]:
    """System, host name, kernel release, its version, processor."""
    found = os.uname()
    return found.sysname, found.nodename, found.release, found.version, found.machine


def cpus() -> int:
    """Processors that are on."""
    return os.cpu_count() or 1
