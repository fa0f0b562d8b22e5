"""Who the program runs as: ``user[:group]`` by the container's own passwd and group files.

The files are the image's, so hostile: opened beneath the root without following magic links, never blocking (a FIFO
named /etc/passwd), regular files only, and no more than a megabyte of them.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import Invalid
from agent.engine.kernel import files

LIMIT = 1 << 20
MAX_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class User:
    """Numbers for the kernel, and the home directory."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def _table(root: Path, name: str) -> list[list[str]]:
    try:
        descriptor = files.open_beneath(root, name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return []
        text = file.read(LIMIT).decode(errors="surrogateescape")
    return [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]


def resolve(root: Path, spec: str, extra_groups: Sequence[str] = ()) -> User:
    """Look ``spec`` up. Blocks for two small reads.

    Args:
        root: the mounted root file system.
        spec: ``""``, ``name``, ``uid``, ``name:group``, ``uid:gid`` ….
        extra_groups: names or numbers of ``--group-add``.

    Raises:
        Invalid: no such user or group; a number out of range.
    """
    name, _, group = spec.partition(":")
    passwd = [row for row in _table(root, "/etc/passwd") if len(row) >= 7 and row[2].isdigit() and row[3].isdigit()]
    groups = (
        [row for row in _table(root, "/etc/group") if len(row) >= 4 and row[2].isdigit()]
        if _needs(spec, extra_groups)
        else []
    )
    row = next((row for row in passwd if name and row[0] == name), None)
    if row is None:
        if name and not name.removeprefix("-").isdigit():
            raise Invalid(f"unable to find user {name}: no matching entries in passwd file")
        uid = _number(name or "0", "uid")
        row = next((row for row in passwd if int(row[2]) == uid), None)
    else:
        uid = int(row[2])
    gid, home, login = (int(row[3]), row[5] or "/", row[0]) if row else (0, "/", "")
    members: tuple[int, ...] = ()
    if group:
        gid = _group(groups, group)
    elif login:
        members = tuple(int(entry[2]) for entry in groups if login in entry[3].split(",") and int(entry[2]) != gid)
    added = tuple(_group(groups, extra) for extra in extra_groups)
    # The primary group is named among the others too: without it a process could drop it and pass "deny" rules.
    return User(uid, gid, tuple(dict.fromkeys((gid, *members, *added))), home)


def _needs(spec: str, extra_groups: Sequence[str]) -> bool:
    return bool(extra_groups) or ":" in spec or not spec.isdigit()


def _number(text: str, what: str) -> int:
    number = int(text)
    if not 0 <= number <= MAX_ID:
        raise Invalid(f"{what}s and gids must be in range 0-{MAX_ID}")
    return number


def _group(table: list[list[str]], name: str) -> int:
    for row in table:
        if row[0] == name:
            return int(row[2])
    if name.removeprefix("-").isdigit():
        return _number(name, "uid")
    raise Invalid(f"unable to find group {name}: no matching entries in group file")
