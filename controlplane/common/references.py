"""Image references. Pure. Grammar: distribution/reference."""

import re

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*(?::(?P<tag>[\w][\w.-]{{0,127}}))?(?:@(?P<digest>sha256:[a-f0-9]{{64}}))?",
    re.ASCII,
)
_ID = re.compile(r"(?:sha256:)?[a-f0-9]{12,64}")


def is_reference(text: str) -> bool:
    """Whether it is name[:tag][@digest]."""
    return len(text) <= 512 and _REFERENCE.fullmatch(text) is not None


def is_image(text: str) -> bool:
    """Whether it names an image that a host may have: a reference, or an id."""
    return is_reference(text) or _ID.fullmatch(text) is not None


def is_taggable(text: str) -> bool:
    """Whether an image can be given this name: a reference without digest."""
    return is_reference(text) and "@" not in text


def short_name(reference: str) -> str:
    """The last word of a reference, for a container's name."""
    last = reference.split("@", maxsplit=1)[0].rsplit("/", 1)[-1].split(":", maxsplit=1)[0]
    return re.sub(r"[^a-zA-Z0-9_.-]", "", last).strip("_.-") or "container"


def registry_of(reference: str) -> str:
    """The registry that a reference names; Docker Hub without one."""
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "https://index.docker.io/v1/"
