"""Archives for tests, made entry by entry, so that they can be as wrong as a test needs."""

import io
import tarfile
from typing import Any


def entry(name: str, content: bytes | None = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """One member: a file with content, or what ``fields`` say (type, linkname, mode, uid, pax_headers …)."""
    member = tarfile.TarInfo(name)
    member.mode = 0o644
    for key, value in fields.items():
        setattr(member, key, value)
    data = content or b""
    if member.type in tarfile.REGULAR_TYPES:
        member.size = fields.get("size", len(data))
    return member, data


def folder(name: str, mode: int = 0o755, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.DIRTYPE, mode=mode, **fields)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777)


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.LNKTYPE, linkname=target)


def tar(*entries: tuple[tarfile.TarInfo, bytes], end: bool = True) -> bytes:
    """The archive, each header written as it is given."""
    out = io.BytesIO()
    for member, data in entries:
        out.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        out.write(data + b"\0" * (-len(data) % 512))
    if end:
        out.write(b"\0" * 1024)
    return out.getvalue()
