"""``RUN --mount=…`` as values. No IO."""

import csv
import dataclasses
import re
from collections.abc import Callable

from agent.engine.errors import Invalid

TYPES = frozenset({"bind", "cache", "tmpfs", "secret", "ssh"})
SHARING = frozenset({"shared", "private", "locked"})
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Mount:
    """One mount of one RUN; ``origin`` is a stage or an image, empty for the context."""

    kind: str = "bind"
    origin: str = ""
    source: str = ""
    target: str = ""
    readonly: bool = True
    size: int = 0
    cache_id: str = ""
    sharing: str = "shared"
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    required: bool = False
    env: str = ""


def mount_origin(text: str) -> str:
    """The ``from`` of a mount, which is never expanded: the plan must know it."""
    for key, value in _fields(text):
        if key == "from":
            if "$" in value:
                raise Invalid("'from' doesn't support variable expansion, define alias stage instead")
            return value
    return ""


def parse_mount(text: str, expand: Callable[[str], str]) -> Mount:
    """Read one ``--mount``.

    Raises:
        Invalid: an unknown type or key, or a key that its type does not have.
    """
    values: dict[str, str] = {}
    for key, value in _fields(text):
        name = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}.get(
            key, key
        )
        if name not in FIELDS:
            raise Invalid(f"unexpected key '{key}' in '{text}'")
        values[name] = value if name == "from" else expand(value)
    kind = values.get("type", "bind").lower()
    if kind not in TYPES:
        raise Invalid(f'unsupported mount type "{kind}"')
    for name in values.keys() - ALLOWED[kind] - {"type"}:
        raise Invalid(f"unexpected key '{name}' for mount type '{kind}'")
    sharing = values.get("sharing", "shared").lower()
    if sharing not in SHARING:
        raise Invalid(f'unsupported sharing value "{sharing}"')
    target = values.get("target", "")
    if not target and kind not in ("secret", "ssh"):
        raise Invalid(f"{kind} mount requires a target")
    if "readwrite" in values:
        readonly = not _truth("readwrite", values["readwrite"])
    elif "readonly" in values:
        readonly = _truth("readonly", values["readonly"])
    else:
        readonly = kind not in ("cache", "tmpfs")
    return Mount(
        kind=kind,
        origin=values.get("from", ""),
        source=values.get("source", ""),
        target=target,
        readonly=readonly,
        size=_size(values["size"]) if "size" in values else 0,
        cache_id=values.get("id", ""),
        sharing=sharing,
        mode=_number("mode", values["mode"], 8) if "mode" in values else None,
        uid=_number("uid", values.get("uid", "0"), 10),
        gid=_number("gid", values.get("gid", "0"), 10),
        required=_truth("required", values.get("required", "false")),
        env=values.get("env", ""),
    )


FIELDS = frozenset(
    "type from source target readonly readwrite size id sharing mode uid gid required env".split()  # noqa: SIM905
)
_PLACE = frozenset({"source", "target", "readonly", "readwrite"})
_OWNER = frozenset({"mode", "uid", "gid"})
ALLOWED = {
    "bind": _PLACE | {"from"},
    "cache": _PLACE | _OWNER | {"from", "id", "sharing"},
    "tmpfs": _PLACE | {"size"},
    "secret": _PLACE | _OWNER | {"id", "required", "env"},
    "ssh": _PLACE | _OWNER | {"id", "required"},
}


def _fields(text: str) -> list[tuple[str, str]]:
    found = []
    try:
        fields = next(csv.reader([text]), [])
    except csv.Error as error:
        raise Invalid(f"failed to parse csv mounts: {error}") from None
    for field in fields:
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals and key not in ("readonly", "ro", "readwrite", "rw", "required"):
            raise Invalid(f"invalid field '{field}' must be a key=value pair")
        found.append((key, value if equals else "true"))
    return found


def _truth(name: str, value: str) -> bool:
    if value.lower() not in ("1", "t", "true", "0", "f", "false"):
        raise Invalid(f"invalid value for {name}: {value}")
    return value.lower() in ("1", "t", "true")


def _number(name: str, value: str, base: int) -> int:
    try:
        return int(value, base)
    except ValueError:
        raise Invalid(f"invalid value {value} for {name}") from None


def _size(value: str) -> int:
    found = SIZE.fullmatch(value)
    if not found:
        raise Invalid(f"invalid value for size: {value}")
    return int(float(found.group(1)) * 1024 ** " kmgt".index(found.group(2).lower() or " "))
