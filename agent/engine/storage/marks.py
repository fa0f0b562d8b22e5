"""How a layer's folder says that something below it is gone.

Overlayfs knows a removed name by a character device 0:0 and a folder that hides what is below by an attribute. A folder
that itself lies on overlayfs can hold neither, so layers there have the image format's own marks: an empty file
``.wh.NAME``, and ``.wh..wh..opq`` in the folder. fuse-overlayfs reads both, and writes whichever it can.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
OPAQUE_XATTR = "trusted.overlay.opaque"
_OPAQUE_XATTRS = (OPAQUE_XATTR, "user.overlay.opaque", "user.fuseoverlayfs.opaque")
BOOKKEEPING = ("trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.")
"""Attributes that are an overlay's own, and no part of a file."""


def is_whiteout(info: os.stat_result) -> bool:
    """Overlay's mark of a removed name: a character device 0:0."""
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one data root."""

    files: bool
    """Files too are marks: ``.wh.…``; else such a name is a file as any other."""

    def hidden(self, name: str, info: os.stat_result) -> str | None:
        """The name that an entry of a layer removes; empty where it hides all of its folder; None for a plain file."""
        if is_whiteout(info):
            return name
        if self.files and name.startswith(WHITEOUT):
            return "" if name == OPAQUE else name.removeprefix(WHITEOUT)
        return None

    def meant(self, name: str) -> str:
        """The name that an entry is about, by its name alone."""
        return name.removeprefix(WHITEOUT) if self.files else name

    def hides(self, folder: Path, name: str) -> bool:
        """A layer's folder has a file that removes this name."""
        return self.files and os.path.lexists(folder / (WHITEOUT + name))

    def is_opaque(self, folder: Path) -> bool:
        """What layers below hold in this folder is hidden."""
        for key in _OPAQUE_XATTRS if self.files else (OPAQUE_XATTR,):
            try:
                if os.getxattr(folder, key, follow_symlinks=False) == b"y":
                    return True
            except OSError:
                continue
        return self.files and os.path.lexists(folder / OPAQUE)

    def hide(self, folder: Path, name: str) -> None:
        """Remove a name of the layers below."""
        if self.files:
            (folder / (WHITEOUT + name)).touch(mode=0o600)
        else:
            os.mknod(folder / name, stat.S_IFCHR)


KERNEL = Marks(files=False)
FILES = Marks(files=True)
