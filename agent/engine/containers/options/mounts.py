"""What a container sees of the host and of volumes: from ``Binds``, ``Mounts``, ``Tmpfs`` and the image to mount
points.

Pure but for the look whether a bind's source exists. Words and rules are dockerd's.
"""

import platform
import posixpath
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.engine.containers.options.tmpfs import PROPAGATIONS, from_api, tmpfs_options
from agent.engine.errors import Invalid, System
from agent.engine.state.records import MountPoint

Json = dict[str, Any]

# mount_setattr(2), by which the runtime makes read-only what lies below a bind too.
RECURSIVE = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2]) >= (5, 12)
_CONSISTENCY = frozenset({"consistent", "cached", "delegated", "default"})
_KINDS: tuple[frozenset[str], ...] = (
    frozenset({"rw", "ro"}),
    frozenset({"z", "Z"}),
    PROPAGATIONS,
    frozenset({"nocopy"}),
    _CONSISTENCY,
)
FLAT = "nonrecursive"
FLAT_READ_ONLY, DEEP_READ_ONLY = "ro-non-recursive", "ro-force-recursive"


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


def parse_bind(raw: str, name: Callable[[], str] = anonymous_name, driver: str = "") -> MountPoint:
    """One entry of ``Binds``: ``SOURCE:TARGET[:MODE]``, ``VOLUME:TARGET[:MODE]`` or ``TARGET``.

    Args:
        raw: the entry.
        name: makes the names of anonymous volumes.
        driver: of volumes that are not there yet.

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
        if kind == "bind" and "nocopy" in words:
            raise Invalid("field VolumeOptions must not be specified")
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
            propagation=propagation,
        )
    return MountPoint(
        "volume", "", destination, source or name(), driver, mode, readwrite,
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


_OPTIONS = {"bind": "Bind", "volume": "Volume", "tmpfs": "Tmpfs", "image": "Image", "cluster": "Cluster"}
_BIND_OPTIONS = frozenset(
    {"Propagation", "CreateMountpoint", "NonRecursive", "ReadOnlyNonRecursive", "ReadOnlyForceRecursive"}
)


def _parse_mount(given: Mapping[str, Any], kind: str, name: Callable[[], str]) -> MountPoint:
    for other, option in _OPTIONS.items():
        if other != kind and given.get(f"{option}Options") is not None:
            raise Invalid(f"field {option}Options must not be specified")
    target, source = given.get("Target") or "", given.get("Source") or ""
    readwrite = not given.get("ReadOnly")
    if not target:
        raise Invalid("field Target must not be empty")
    destination = _target(target)
    options = (given.get(f"{_OPTIONS[kind]}Options") or {}) if kind in _OPTIONS else {}
    match kind:
        case "bind":
            return _bind(source, destination, options, readwrite=readwrite)
        case "volume":
            return _volume(source, destination, options, name, readwrite=readwrite)
        case "tmpfs":
            if source:
                raise Invalid("field Source must not be specified")
            return MountPoint("tmpfs", "", destination, rw=readwrite, options=tuple(from_api(options, readwrite)))
        case "image":
            if not source:
                raise Invalid("field Source must not be empty")
            return MountPoint(
                "image", "", destination, source, rw=False, propagation="rprivate", subpath=_subpath(options)
            )
    raise Invalid("mount type unknown")


def _bind(source: str, destination: str, given: Mapping[str, Any], *, readwrite: bool) -> MountPoint:
    if not source:
        raise Invalid("field Source must not be empty")
    propagation = given.get("Propagation") or ""
    if propagation and propagation not in PROPAGATIONS:
        raise Invalid(f"invalid propagation mode: {propagation}")
    _absolute(source)
    for option, value in given.items():
        if value and option not in _BIND_OPTIONS:
            raise Invalid(f"BindOptions.{option} is not supported")
    if not Path(source).exists() and not given.get("CreateMountpoint"):
        raise Invalid(f"bind source path does not exist: {source}")
    if given.get("ReadOnlyForceRecursive") and not RECURSIVE:
        raise Invalid("ReadOnlyForceRecursive needs a kernel of at least 5.12")
    flat, forced = given.get("ReadOnlyNonRecursive"), given.get("ReadOnlyForceRecursive")
    for option, value in (("ReadOnlyNonRecursive", flat), ("ReadOnlyForceRecursive", forced)):
        if value and readwrite:
            raise Invalid(f"mount options conflict: !ReadOnly && BindOptions.{option}")
    if flat and forced:
        raise Invalid("mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive")
    words = ((FLAT, given.get("NonRecursive")), (FLAT_READ_ONLY, flat), (DEEP_READ_ONLY, forced))
    return MountPoint(
        "bind", posixpath.normpath(source), destination, rw=readwrite, propagation=propagation,
        options=tuple(word for word, value in words if value),
    )  # fmt: skip


def _volume(
    source: str, destination: str, given: Mapping[str, Any], name: Callable[[], str], *, readwrite: bool
) -> MountPoint:
    if not source and not readwrite:
        raise Invalid("must not set ReadOnly mode when using anonymous volumes")
    if given.get("Subpath") and not source:
        raise Invalid("must not set Subpath when using anonymous volumes")
    return MountPoint(
        "volume", "", destination, source or name(), (given.get("DriverConfig") or {}).get("Name") or "", "", readwrite,
        copy_up=not given.get("NoCopy"), anonymous=not source, subpath=_subpath(given),
    )  # fmt: skip


def _subpath(given: Mapping[str, Any]) -> str:
    """A path below the volume, by its letters; where links lead is seen when it is opened."""
    path = given.get("Subpath") or ""
    if not path:
        return ""
    clean = posixpath.normpath(path)
    if clean.startswith("/") or clean == ".." or clean.startswith("../") or "\0" in clean:
        raise Invalid("subpath must be a relative path within the volume")
    return "" if clean == "." else clean


def inherited(texts: Sequence[str], mounts_of: Callable[[str], Sequence[MountPoint]]) -> list[MountPoint]:
    """``VolumesFrom``: binds and volumes of other containers, written ``CONTAINER[:ro|rw]``; the last wins a place.

    Args:
        texts: what the client gave.
        mounts_of: mount points of the container that a reference means.

    Raises:
        Invalid: a mode that is none.
    """
    found: dict[str, MountPoint] = {}
    for text in texts:
        if not text:
            raise Invalid("volumes-from specification cannot be an empty string")
        ref, _, mode = text.partition(":")
        words = set(mode.split(",")) if mode else set()
        if not _valid_mode(mode) or words & (PROPAGATIONS | {"nocopy"}):
            raise Invalid(f"invalid mode: {mode}")
        for point in mounts_of(ref):
            # Theirs to fill and to remove; here it is only used.
            if point.type in {"bind", "volume"}:
                changes = {"rw": point.rw and "ro" not in words, "copy_up": False, "anonymous": False, "mode": ""}
                found[point.destination] = msgspec.structs.replace(point, **changes)
    return list(found.values())


def collect(
    host: Mapping[str, Any],
    config: Mapping[str, Any],
    name: Callable[[], str] = anonymous_name,
    others: Sequence[MountPoint] = (),
    *,
    deep: bool = True,
    root: str = "",
) -> tuple[MountPoint, ...]:
    """All mount points of a new container: the client's, then those it inherits, then the image's volumes.

    Args:
        host: ``HostConfig``.
        config: ``Config``.
        name: makes the names of anonymous volumes.
        others: of ``inherited``; like the image's volumes they go where nothing else lies.
        deep: what is read-only is so with all that is mounted below it.
        root: the engine's data root.

    Raises:
        Invalid: malformed, or two for one place.
    """
    found: dict[str, MountPoint] = {}
    driver = host.get("VolumeDriver") or ""

    def place(point: MountPoint) -> None:
        if point.destination in found:
            raise Invalid(f"Duplicate mount point: {point.destination}")
        if point.type == "bind":
            point = msgspec.structs.replace(point, propagation=_propagation(point, root))
        if not deep and not point.rw and point.type == "bind" and DEEP_READ_ONLY not in point.options:
            point = msgspec.structs.replace(point, options=tuple({*point.options, FLAT_READ_ONLY}))
        found[point.destination] = point

    for raw in host.get("Binds") or []:
        try:
            point = parse_bind(raw, name, driver)
        except Invalid as error:
            if str(error).startswith(("invalid volume specification", "invalid mode")):
                # 500 with dockerd, old and new
                raise System(str(error)) from error
            raise
        place(point)
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
            found[target] = MountPoint("volume", "", target, name(), driver, copy_up=True, anonymous=True)
    return tuple(found.values())


def covers(path: str, root: str) -> bool:
    """One lies within the other."""
    inner = path if path.endswith("/") else f"{path}/"
    return bool(root) and (inner.startswith(f"{root}/") or f"{root}/".startswith(inner))


def _propagation(point: MountPoint, root: str) -> str:
    """Where nothing is asked for, a bind keeps to itself; but one around the data root must not hold our mounts."""
    if not covers(point.source, root):
        return point.propagation or "rprivate"
    if point.propagation not in {"", "rslave", "rshared"}:
        raise Invalid(
            'invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within '
            f'the daemon root, daemon root: "{root}", bind mount source: "{point.source}", propagation: '
            f'"{point.propagation}"'
        )
    return point.propagation or "rslave"


def oci(points: Sequence[MountPoint], tmpfs: Mapping[str, str]) -> list[Json]:
    """OCI mounts, outer paths before inner ones. Sources must be filled in by now."""
    found: list[Json] = []
    for point in points:
        if point.type == "tmpfs":
            options = tmpfs_options(",".join(point.options))
            found.append(_mount(point.destination, "tmpfs", "tmpfs", options))
            continue
        depth = "bind" if FLAT in point.options else "rbind"
        deep = RECURSIVE and depth == "rbind" and point.type == "bind" and FLAT_READ_ONLY not in point.options
        if deep and not point.rw and Path(point.source).exists():
            # Below what is no folder nothing can be mounted, and crun's recursive way takes folders alone.
            deep = Path(point.source).is_dir()
        access = "rw" if point.rw else "rro" if deep else "ro"
        found.append(_mount(point.destination, "bind", point.source, (depth, point.propagation or "rprivate", access)))
    for path, text in tmpfs.items():
        found.append(_mount(posixpath.normpath(path), "tmpfs", "tmpfs", tmpfs_options(text)))
    return sorted(found, key=lambda mount: mount["destination"].count("/") if mount["destination"] != "/" else 0)


def _mount(destination: str, kind: str, source: str, options: Sequence[str]) -> Json:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}
