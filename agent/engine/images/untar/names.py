"""Names in an archive, taken apart. Pure."""

import os

from agent.engine.images.untar.tape import BadArchive

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
# aufs kept its own files in layers; nothing needs them.
AUFS = frozenset({b".wh..wh.aufs", b".wh..wh.plnk", b".wh..wh.orph"})


def parts(name: bytes, folder: str = "/") -> list[bytes]:
    """The steps from the root to the name; none for the root itself. Invalid UTF-8 is kept as bytes.

    Args:
        name: the archive's.
        folder: what the root is called in messages.

    Raises:
        BadArchive: empty, with a NUL, or leading out of the root.
    """
    if not name or b"\0" in name:
        raise BadArchive(f"invalid name in archive: {name[:200]!r}")
    steps: list[bytes] = []
    for step in name.split(b"/"):
        if step == b"..":
            if not steps:
                raise BadArchive(f'invalid name in archive: "{os.fsdecode(name[:200])}" is outside of "{folder}"')
            steps.pop()
        elif step not in {b"", b"."}:
            steps.append(step)
    return steps


def whiteout(steps: list[bytes]) -> bytes | None:
    """What the last step removes: a name, ``b""`` for all of its folder, None where it is no whiteout.

    Raises:
        BadArchive: a whiteout of no name, or inside of a whiteout.
    """
    for step in steps[:-1]:
        if step.startswith(WHITEOUT) and step not in AUFS:
            raise BadArchive(f"invalid whiteout in archive: {b'/'.join(steps)!r}")
    base = steps[-1]
    if not base.startswith(WHITEOUT):
        return None
    if base == OPAQUE:
        return b""
    target = base.removeprefix(WHITEOUT)
    if target in {b"", b".", b".."} or target.startswith(WHITEOUT):
        raise BadArchive(f"invalid whiteout in archive: {base!r}")
    return target


def is_aufs(steps: list[bytes]) -> bool:
    """The entry is, or lies in, aufs' own bookkeeping at the root."""
    return bool(steps) and steps[0] in AUFS
