"""Maps of user and group numbers: which number of the host stands for which of a user namespace.

``--userns-remap`` names a user; ``/etc/subuid`` and ``/etc/subgid`` say which numbers are his to give. Sources:
user_namespaces(7), subuid(5).
"""

import grp
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import Invalid

SUBUID, SUBGID = Path("/etc/subuid"), Path("/etc/subgid")
DEFAULT, DEFAULT_USER = "default", "dockremap"


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers ``inside …`` are ``outside …`` on the host."""

    inside: int
    outside: int
    size: int

    def oci(self) -> Mapping[str, int]:
        """As in ``linux.uidMappings``."""
        return {"containerID": self.inside, "hostID": self.outside, "size": self.size}


@dataclass(frozen=True, slots=True)
class IdMap:
    """Of one user namespace."""

    user: str
    uids: tuple[Range, ...]
    gids: tuple[Range, ...]

    @property
    def root(self) -> tuple[int, int]:
        """The host's numbers of root inside."""
        return outside(self.uids, 0), outside(self.gids, 0)

    def text(self, ranges: Iterable[Range]) -> str:
        """For ``/proc/PID/uid_map``."""
        return "".join(f"{one.inside} {one.outside} {one.size}\n" for one in ranges)


def outside(ranges: Iterable[Range], number: int) -> int:
    """The host's number for one inside.

    Raises:
        Invalid: it has none.
    """
    for one in ranges:
        if one.inside <= number < one.inside + one.size:
            return one.outside + number - one.inside
    raise Invalid(f"id {number} is not mapped into the host")


def inside(ranges: Iterable[Range], number: int) -> int:
    """The number inside for one of the host; the kernel's "nobody" where it has none."""
    for one in ranges:
        if one.outside <= number < one.outside + one.size:
            return one.inside + number - one.outside
    return 65534


def ranges(text: str, *names: str) -> tuple[Range, ...]:
    """The ranges that a subuid file gives to somebody, one after the other from 0 inside. Pure."""
    found: list[Range] = []
    begin = 0
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) == 3 and fields[0] in names and fields[1].isdigit() and fields[2].isdigit():
            found.append(Range(begin, int(fields[1]), int(fields[2])))
            begin += int(fields[2])
    return tuple(found)


def of(wanted: str) -> IdMap | None:
    """The map that ``--userns-remap`` means: ``default``, ``USER``, ``UID``, either with ``:GROUP``.

    None for root, who cannot be remapped to himself.

    Raises:
        Invalid: no such user or group, or nothing is given to him.
    """
    name, _, group = wanted.partition(":")
    if name == DEFAULT:
        name = DEFAULT_USER
    try:
        user = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        hint = f": make it with useradd --system {DEFAULT_USER}" if name == DEFAULT_USER else ""
        raise Invalid(f'Error during uid lookup for "{name}": no such user{hint}') from None
    try:
        owner = grp.getgrgid(int(group)) if group.isdigit() else grp.getgrnam(group or user.pw_name)
    except KeyError:
        raise Invalid(f'Error during gid lookup for "{group or user.pw_name}": no such group') from None
    if user.pw_name == "root":
        return None
    texts = {path: path.read_text() if path.exists() else "" for path in (SUBUID, SUBGID)}
    uids = ranges(texts[SUBUID], user.pw_name, str(user.pw_uid))
    gids = ranges(texts[SUBGID], owner.gr_name, str(owner.gr_gid)) or ranges(texts[SUBGID], user.pw_name)
    for path, found, who in ((SUBUID, uids, user.pw_name), (SUBGID, gids, owner.gr_name)):
        if not found:
            raise Invalid(f'no ranges found for "{who}" in {path}: add a line {who}:100000:65536')
    return IdMap(user.pw_name, uids, gids)
