"""Which extended attributes an archive may set.

Overlay reads its own from layers: an archive that could write them would redirect names to any folder of a layer. So
``trusted.*`` and ``user.overlay.*`` are refused. Labels of the host's security modules are the host's business and are
left out. File capabilities, ACLs and ``user.*`` are kept.
"""

import errno
import os

from agent.engine.images.untar.headers import Entry
from agent.engine.images.untar.tape import BadArchive

_VALUE_MAX = 1 << 16  # the kernel's XATTR_SIZE_MAX
_KEPT = ("user.", "security.capability", "system.posix_acl_access", "system.posix_acl_default")
_NOT_HERE = frozenset({errno.ENOTSUP, errno.EPERM, errno.EINVAL})


def apply(where: int | bytes, entry: Entry) -> None:
    """Set an entry's attributes on an open file, or on a name in the working directory without following a link.

    Raises:
        BadArchive: an attribute that no layer may set, or one that is too large.
    """
    for key, value in entry.xattrs.items():
        if key.startswith(("trusted.", "user.overlay.")):
            raise BadArchive(f"extended attribute {key!r} of {entry.name[:200]!r} is not allowed in an archive")
        if len(value) > _VALUE_MAX:
            raise BadArchive(f"extended attribute {key!r} of {entry.name[:200]!r} has {len(value)} bytes: too large")
        if key.startswith(_KEPT):
            _set(where, key, value, entry)


def _set(where: int | bytes, key: str, value: bytes, entry: Entry) -> None:
    try:
        if isinstance(where, int):
            os.setxattr(where, key, value)
        else:
            os.setxattr(where, key, value, follow_symlinks=False)
    except OSError as error:
        if error.errno in {errno.E2BIG, errno.ERANGE}:
            raise BadArchive(f"extended attribute {key!r} of {entry.name[:200]!r} is too large") from None
        # No ACLs on this file system, user.* on a link: as dockerd, carry on without. Capabilities must not be lost.
        if error.errno not in _NOT_HERE or key == "security.capability":
            raise
