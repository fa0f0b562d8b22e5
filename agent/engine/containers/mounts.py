"""What a container sees of the host and of volumes: from ``Binds``, ``Mounts``, ``Tmpfs`` and the image to mount
points.

Pure but for the look whether a bind's source exists. Words and rules are dockerd's.
"""

import posixpath
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.engine.errors import Invalid
from agent.engine.state.records import MountPoint

Json = dict[str, Any]

PROPAGATIONS = frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared"})
_CONSISTENCY = frozenset({"consistent", "cached", "delegated", "default"})
_KINDS: tuple[frozenset[str], ...] = (
    frozenset({"rw", "ro"}),
    frozenset({"z", "Z"}),
    PROPAGATIONS,
    frozenset({"nocopy"}),
    _CONSISTENCY,
)
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


def anonymous_name() -> str:
    """Name of a volume that the client gave none."""
    return secrets.token_hex(32)


def _valid_mode(mode: str) -> bool:
    words = mode.split(",") if mode else []
    counts = [sum(word in kind for word in words) for kind in _KINDS]
    return sum(counts) == len(words) and max(counts, default=0) <= 1


def _absolute(path: str) -> None:
    if not path.startswith("/"):
        raise Invalid(f"invalid mount path: '{path}' mount path must be absolute")


def _target(path: str) -> str:
    if posixpath.normpath(path) == "/":
        raise Invalid("invalid specification: destination can't be '/'")
    _absolute(path)
    return posixpath.normpath(path)


def parse_bind(raw: str, name: Callable[[], str] = anonymous_name) -> MountPoint:
    """One entry of ``Binds``: ``SOURCE:TARGET[:MODE]``, ``VOLUME:TARGET[:MODE]`` or ``TARGET``.

    Raises:
        Invalid: in dockerd's words.
    """
    parts = raw.split(":")
    source, mode = "", ""
    if not raw or len(parts) > 3 or not parts[0]:
        raise Invalid(f"invalid volume specification: '{raw}'")
    if len(parts) == 1:
        target = parts[0]
    else:
        source, target = parts[0], parts[1]
        mode = parts[2] if len(parts) == 3 else ""
        if len(parts) == 2 and target and _valid_mode(target):
            raise Invalid(f"invalid volume specification: '{raw}'")
    if not _valid_mode(mode):
        raise Invalid(f"invalid mode: {mode}")
    words = mode.split(",") if mode else []
    kind = "bind" if source.startswith("/") else "volume"
    try:
        if not target:
            raise Invalid("field Target must not be empty")
        destination = _target(target)
        propagation = next((word for word in words if word in PROPAGATIONS), "")
        if kind == "volume" and propagation:
            raise Invalid("field BindOptions must not be specified")
    except Invalid as error:
        raise Invalid(
            f"invalid volume specification: '{raw}': invalid mount config for type \"{kind}\": {error}"
        ) from None
    readwrite = "ro" not in words
    if kind == "bind":
        return MountPoint(
            "bind",
            posixpath.normpath(source),
            destination,
            mode=mode,
            rw=readwrite,
            propagation=propagation or "rprivate",
        )
    return MountPoint(
        "volume", "", destination, source or name(), "local", mode or "z", readwrite,
        copy_up="nocopy" not in words, anonymous=not source,
    )  # fmt: skip


def parse_mount(given: Mapping[str, Any], name: Callable[[], str] = anonymous_name) -> MountPoint:
    """One entry of the API's ``Mounts``.

    Raises:
        Invalid: in dockerd's words.
    """
    kind = given.get("Type") or ""
    try:
        return _parse_mount(given, kind, name)
    except Invalid as error:
        raise Invalid(f'invalid mount config for type "{kind}": {error}') from None


def _parse_mount(given: Mapping[str, Any], kind: str, name: Callable[[], str]) -> MountPoint:
    target, source = given.get("Target") or "", given.get("Source") or ""
    readwrite = not given.get("ReadOnly")
    bind, volume, tmpfs = (given.get(f"{option}Options") for option in ("Bind", "Volume", "Tmpfs"))
    if not target:
        raise Invalid("field Target must not be empty")
    destination = _target(target)
    if kind == "bind":
        if not source:
            raise Invalid("field Source must not be empty")
        if volume is not None:
            raise Invalid("field VolumeOptions must not be specified")
        _absolute(source)
        propagation = (bind or {}).get("Propagation") or "rprivate"
        if propagation not in PROPAGATIONS:
            raise Invalid(f"invalid propagation mode: {propagation}")
        for option, value in (bind or {}).items():
            if value and option not in {"Propagation", "CreateMountpoint", "NonRecursive"}:
                raise Invalid(f"BindOptions.{option} is not supported")
        if not Path(source).exists() and not (bind or {}).get("CreateMountpoint"):
            raise Invalid(f"bind source path does not exist: {source}")
        options = ("nonrecursive",) if (bind or {}).get("NonRecursive") else ()
        return MountPoint(
            "bind", posixpath.normpath(source), destination, rw=readwrite, propagation=propagation, options=options
        )
    if kind == "volume":
        if bind is not None:
            raise Invalid("field BindOptions must not be specified")
        if not source and not readwrite:
            raise Invalid("must not set ReadOnly mode when using anonymous volumes")
        if (volume or {}).get("Subpath"):
            raise Invalid("VolumeOptions.Subpath is not supported")
        driver = ((volume or {}).get("DriverConfig") or {}).get("Name") or "local"
        copies = not (volume or {}).get("NoCopy")
        return MountPoint(
            "volume", "", destination, source or name(), driver, "z", readwrite, copy_up=copies, anonymous=not source
        )
    if kind == "tmpfs":
        if bind is not None:
            raise Invalid("field BindOptions must not be specified")
        if source:
            raise Invalid("field Source must not be specified")
        return MountPoint("tmpfs", "", destination, rw=readwrite, options=tuple(_tmpfs_api(tmpfs or {}, readwrite)))
    raise Invalid("mount type unknown")


def _tmpfs_api(options: Mapping[str, Any], readwrite: bool) -> Iterable[str]:
    if not readwrite:
        yield "ro"
    if options.get("Mode"):
        yield f"mode={options['Mode']:o}"
    if options.get("SizeBytes"):
        yield f"size={options['SizeBytes']}"
    if options.get("Options"):
        raise Invalid("TmpfsOptions.Options is not supported")


def tmpfs_options(text: str) -> tuple[str, ...]:
    """Options of ``--tmpfs``, over the defaults noexec, nosuid, nodev.

    Raises:
        Invalid: one that a tmpfs has not.
    """
    given = [word for word in text.split(",") if word]
    for word in given:
        key, equals, _ = word.partition("=")
        if (equals and key not in _TMPFS_VALUES) or (not equals and word not in _TMPFS_FLAGS | PROPAGATIONS):
            raise Invalid(f"Invalid tmpfs option {[word]!r}")
    opposite = {"exec": "noexec", "suid": "nosuid", "dev": "nodev"}
    undone = {opposite[word] for word in given if word in opposite}
    kept = [word for word in TMPFS_DEFAULTS if word not in undone and word not in given]
    return (*kept, *(word for word in given if word not in opposite))


def inherited(texts: Sequence[str], mounts_of: Callable[[str], Sequence[MountPoint]]) -> list[MountPoint]:
    """``VolumesFrom``: binds and volumes of other containers, written ``CONTAINER[:ro|rw]``; the first wins a place.

    Args:
        texts: what the client gave.
        mounts_of: mount points of the container that a reference means.

    Raises:
        Invalid: a mode that is none.
    """
    found: dict[str, MountPoint] = {}
    for text in texts:
        ref, _, mode = text.partition(":")
        if mode not in ("", "ro", "rw", "z", "Z"):
            raise Invalid(f"invalid mode: {mode}")
        for point in mounts_of(ref):
            if point.type in ("bind", "volume"):
                # Theirs to fill and to remove; here it is only used.
                changes = {"rw": point.rw and mode != "ro", "copy_up": False, "anonymous": False}
                found.setdefault(point.destination, msgspec.structs.replace(point, **changes))
    return list(found.values())


def collect(
    host: Mapping[str, Any],
    config: Mapping[str, Any],
    name: Callable[[], str] = anonymous_name,
    others: Sequence[MountPoint] = (),
) -> tuple[MountPoint, ...]:
    """All mount points of a new container: the client's, then those it inherits, then the image's volumes.

    Args:
        host: ``HostConfig``.
        config: ``Config``.
        name: makes the names of anonymous volumes.
        others: of ``inherited``; like the image's volumes they go where nothing else lies.

    Raises:
        Invalid: malformed, or two for one place.
    """
    found: dict[str, MountPoint] = {}

    def place(point: MountPoint) -> None:
        if point.destination in found:
            raise Invalid(f"Duplicate mount point: {point.destination}")
        found[point.destination] = point

    for raw in host.get("Binds") or []:
        place(parse_bind(raw, name))
    for given in host.get("Mounts") or []:
        place(parse_mount(given, name))
    tmpfs: Mapping[str, str] = host.get("Tmpfs") or {}
    for path in tmpfs:
        target = _target(path)
        if target in found:
            raise Invalid(f"Duplicate mount point: {target}")
        tmpfs_options(tmpfs[path])
    taken = {*found, *(posixpath.normpath(path) for path in tmpfs)}
    for point in others:
        if point.destination not in taken:
            found[point.destination] = point
            taken.add(point.destination)
    for path in config.get("Volumes") or {}:
        target = _target(path)
        if target not in taken:
            found[target] = MountPoint("volume", "", target, name(), "local", copy_up=True, anonymous=True)
    return tuple(found.values())


def oci(points: Sequence[MountPoint], tmpfs: Mapping[str, str]) -> list[Json]:
    """OCI mounts, outer paths before inner ones. Sources must be filled in by now."""
    found: list[Json] = []
    for point in points:
        if point.type == "tmpfs":
            options = tmpfs_options(",".join(point.options))
            found.append(_mount(point.destination, "tmpfs", "tmpfs", options))
            continue
        depth = "bind" if "nonrecursive" in point.options else "rbind"
        access = "rw" if point.rw else "ro"
        found.append(_mount(point.destination, "bind", point.source, (depth, point.propagation or "rprivate", access)))
    for path, text in tmpfs.items():
        found.append(_mount(posixpath.normpath(path), "tmpfs", "tmpfs", tmpfs_options(text)))
    return sorted(found, key=lambda mount: mount["destination"].count("/") if mount["destination"] != "/" else 0)


def _mount(destination: str, kind: str, source: str, options: Sequence[str]) -> Json:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}
