"""The options ``type``, ``device``, ``o`` and ``size`` of a local volume: judged, and taken apart for mount(2)."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agent.engine.errors import Invalid, System
from agent.engine.kernel import syscalls

KNOWN = frozenset({"type", "device", "o", "size"})
_NEEDS = (("device", "type"), ("type", "device"), ("o", "device"), ("o", "type"))
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_NETWORK = frozenset({"nfs", "nfs4", "cifs"})
_SET = {
    "ro": syscalls.MS_RDONLY, "nosuid": syscalls.MS_NOSUID, "nodev": syscalls.MS_NODEV, "noexec": syscalls.MS_NOEXEC,
    "sync": syscalls.MS_SYNCHRONOUS, "dirsync": syscalls.MS_DIRSYNC, "mand": syscalls.MS_MANDLOCK,
    "noatime": syscalls.MS_NOATIME, "nodiratime": syscalls.MS_NODIRATIME, "relatime": syscalls.MS_RELATIME,
    "strictatime": syscalls.MS_STRICTATIME, "remount": syscalls.MS_REMOUNT, "bind": syscalls.MS_BIND,
    "rbind": syscalls.MS_BIND | syscalls.MS_REC,
}  # fmt: skip
_CLEAR = {
    "rw": syscalls.MS_RDONLY, "suid": syscalls.MS_NOSUID, "dev": syscalls.MS_NODEV, "exec": syscalls.MS_NOEXEC,
    "async": syscalls.MS_SYNCHRONOUS, "nomand": syscalls.MS_MANDLOCK, "atime": syscalls.MS_NOATIME,
    "diratime": syscalls.MS_NODIRATIME, "norelatime": syscalls.MS_RELATIME, "nostrictatime": syscalls.MS_STRICTATIME,
    "defaults": 0,
}  # fmt: skip
_PROPAGATION = {
    word: flag | (syscalls.MS_REC if word.startswith("r") else 0)
    for plain, flag in (("private", syscalls.MS_PRIVATE), ("slave", syscalls.MS_SLAVE), ("shared", syscalls.MS_SHARED),
                        ("unbindable", syscalls.MS_UNBINDABLE))
    for word in (plain, f"r{plain}")
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mounting:
    """What mount(2) is given."""

    device: str
    kind: str
    flags: int
    propagation: int
    data: str

    @property
    def bind(self) -> bool:
        return bool(self.flags & syscalls.MS_BIND)

    def words(self, target: Path, reason: str) -> str:
        """A refusal as dockerd tells it, without a password."""
        flags = f", flags: {self.flags | self.propagation:#x}" if self.flags | self.propagation else ""
        data = ",".join(
            "password=********" if one.startswith("password=") else one for one in filter(None, self.data.split(","))
        )
        return f"mount {self.device}:{target}{flags}{f', data: {data}' if data else ''}: {reason.lower()}"


def check(options: Mapping[str, str], *, quota: bool) -> None:
    """Refuse options that cannot be.

    Args:
        options: as the client gave them.
        quota: the file system can limit a directory.

    Raises:
        Invalid: in dockerd's words.
    """
    for key in sorted(options):
        if key not in KNOWN:
            raise Invalid(f'invalid option: "{key}"')
    if "size" in options and size(options) and not quota:
        raise Invalid("quota size requested but no quota support")
    for key, needed in _NEEDS:
        if key in options and needed not in options:
            raise Invalid(f'missing required option: "{needed}"')
    if needs_mount(options):
        mounting = parse(options)
        if mounting.bind and not Path(mounting.device).is_absolute():
            raise Invalid(f"a bind needs an absolute device, not {mounting.device!r}")
        if mounting.kind == "cifs" and urlsplit(mounting.device).port:
            raise Invalid("port not allowed in CIFS device URL, include 'port' in 'o='")


def size(options: Mapping[str, str]) -> int:
    """Bytes of the option ``size``; 0 for no limit.

    Raises:
        Invalid: it is no size.
    """
    given = options.get("size", "0")
    match = _SIZE.fullmatch(given.strip())
    if match is None:
        raise Invalid(f"invalid size: '{given}'")
    power = " kmgtp".index(match[2].lower() or " ")
    return int(float(match[1]) * 1024**power)


def needs_mount(options: Mapping[str, str]) -> bool:
    """There is something to mount, not just a directory."""
    return bool(options.get("device") or options.get("type"))


def parse(options: Mapping[str, str]) -> Mounting:
    """The options as mount(2) wants them."""
    flags = propagation = 0
    data = []
    for word in filter(None, options.get("o", "").split(",")):
        if word in _SET:
            flags |= _SET[word]
        elif word in _CLEAR:
            flags &= ~_CLEAR[word]
        elif word in _PROPAGATION:
            propagation |= _PROPAGATION[word]
        else:
            data.append(word)
    return Mounting(options.get("device", ""), options.get("type", ""), flags, propagation, ",".join(data))


def resolved(mounting: Mounting, lookup: Callable[[str], str]) -> Mounting:
    """With addresses in place of a server's name, which the kernel does not look up.

    Args:
        mounting: of a network file system, or of another, which stays as it is.
        lookup: gives a name's address.

    Raises:
        System: there is none.
    """
    if mounting.kind not in _NETWORK:
        return mounting
    device, words = mounting.device, mounting.data.split(",")
    try:
        words = [
            f"addr={lookup(word[5:])}" if word.startswith("addr=") and not _is_address(word[5:]) else word
            for word in words
        ]
        if mounting.kind == "cifs" and not any(word.startswith("addr=") for word in words):
            host = urlsplit(device).hostname or ""
            if host and not _is_address(host):
                device = unquote(device).replace(f"//{host}", f"//{lookup(host)}", 1)
    except OSError as error:
        raise System(f"error resolving passed in network volume address: {error}") from error
    return Mounting(device, mounting.kind, mounting.flags, mounting.propagation, ",".join(words))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
