"""Options of a tmpfs in a container, as ``--tmpfs`` and the API's ``TmpfsOptions`` write them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.engine.errors import Invalid

PROPAGATIONS = frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared"})
TMPFS_DEFAULTS = ("noexec", "nosuid", "nodev")
_TMPFS_FLAGS = frozenset(
    [
        "ro",
        "rw",
        "suid",
        "nosuid",
        "dev",
        "nodev",
        "exec",
        "noexec",
        "sync",
        "async",
        "dirsync",
        "remount",
        "mand",
        "nomand",
        "atime",
        "noatime",
        "diratime",
        "nodiratime",
        "relatime",
        "norelatime",
        "strictatime",
        "nostrictatime",
    ]
)
_TMPFS_VALUES = frozenset({"mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "size"})


def tmpfs_options(text: str) -> tuple[str, ...]:
    """Options of ``--tmpfs``, over the defaults noexec, nosuid, nodev.

    Raises:
        Invalid: one that a tmpfs has not.
    """
    given = [word for word in text.split(",") if word]
    for word in given:
        key, equals, _ = word.partition("=")
        if (equals and key not in _TMPFS_VALUES) or (not equals and word not in _TMPFS_FLAGS | PROPAGATIONS):
            raise Invalid(f'invalid tmpfs option ["{word}"]')
    opposite = {"exec": "noexec", "suid": "nosuid", "dev": "nodev"}
    undone = {opposite[word] for word in given if word in opposite}
    kept = [word for word in TMPFS_DEFAULTS if word not in undone and word not in given]
    return (*kept, *(word for word in given if word not in opposite))


def from_api(options: Mapping[str, Any], readwrite: bool) -> Iterable[str]:
    """Options of the API's ``TmpfsOptions``.

    Raises:
        Invalid: one that a tmpfs has not.
    """
    if not readwrite:
        yield "ro"
    if options.get("Mode"):
        yield f"mode={options['Mode']:o}"
    if size := options.get("SizeBytes"):
        for unit, letter in ((1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k"), (1, "")):
            if size % unit == 0:
                yield f"size={size // unit}{letter}"
                break
    for option in options.get("Options") or ():
        if not isinstance(option, list) or not 1 <= len(option) <= 2:
            raise Invalid("invalid option array length")
        if option[0] not in {"exec", "noexec"}:
            raise Invalid(f"invalid option: {option[0]}")
        yield "=".join(option)
