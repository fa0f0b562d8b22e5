"""Values out of what agents report, which is never trusted to be of the right shape. Pure."""

import uuid
from datetime import UTC, datetime
from typing import Any, Final

LARGEST: Final = 1 << 62


def text(value: Any, longest: int = 255) -> str:
    """Text without NUL, cut to what its column holds."""
    return value.replace("\0", "�")[:longest] if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    """An integer that a column holds."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST else None


def real(value: Any) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return float(value)


def mapping(value: Any) -> dict[str, Any]:
    """An object."""
    return clean(value) if isinstance(value, dict) else {}


def texts(value: Any) -> dict[str, str]:
    """An object of texts: labels, options."""
    return {text(k, 1024): text(v, 8192) for k, v in value.items()} if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """A list."""
    found = clean(value) if isinstance(value, list) else []
    return found if isinstance(found, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    """A list of objects; whatever else is in it is left out."""
    return [one for one in listing(value) if isinstance(one, dict)]


def clean(value: Any) -> Any:
    """The same without NUL characters, which PostgreSQL's JSON cannot hold."""
    if isinstance(value, str):
        return value.replace("\0", "�")
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def moment(value: Any) -> datetime | None:
    """A time of the engine's, RFC 3339 with nanoseconds; its year 1 and what cannot be read are None."""
    if not isinstance(value, str) or not value or value.startswith("0001-"):
        return None
    head, dot, tail = value.partition(".")
    if dot:
        digits = ""
        while tail and tail[0].isdigit():
            digits, tail = digits + tail[0], tail[1:]
        value = f"{head}.{digits[:6].ljust(6, '0')}{tail}"
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def nanoseconds(value: Any) -> int:
    """The same as nanoseconds since 1970, exact; 0 where it cannot be read."""
    found = moment(value)
    if found is None:
        return 0
    fraction = ""
    for letter in str(value).partition(".")[2]:
        if not letter.isdigit():
            break
        fraction += letter
    return int(found.replace(microsecond=0).timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0")[:9])


def identifier(value: Any) -> uuid.UUID | None:
    """A UUID, of a label that anybody could have written."""
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
