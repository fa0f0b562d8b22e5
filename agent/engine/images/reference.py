"""Names of images: ``[registry/]path[:tag][@digest]``. Pure.

Source: distribution ``reference`` (grammar and normalisation). ``alpine`` is ``docker.io/library/alpine`` in full, and
every name is kept in full; clients read the short, "familiar" form.
"""

import functools
import re
from dataclasses import dataclass, replace

from agent.engine.errors import Invalid

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_DOMAIN = "index.docker.io"
_LIBRARY = "library/"
_NAME_MAX = 255

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_ID = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in full. Tag and digest are empty where not given."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """In full, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """As users write it, without tag and digest."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        rest = self.path.removeprefix(_LIBRARY)
        return rest if "/" not in rest else self.path

    @property
    def familiar(self) -> str:
        """As users write it."""
        return self.familiar_name + self._suffix

    def __str__(self) -> str:
        return self.name + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def with_default_tag(self) -> "Reference":
        """``:latest`` where neither tag nor digest is given."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def with_tag(self, tag: str) -> "Reference":
        """This name with another tag and no digest.

        Raises:
            Invalid: no tag looks like that.
        """
        if not _TAG.fullmatch(tag):
            raise Invalid("invalid tag format")
        return replace(self, tag=tag, digest="")

    def with_digest(self, digest: str) -> "Reference":
        """This name with a digest and no tag."""
        return replace(self, tag="", digest=digest)


@functools.lru_cache(1024)
def parse(text: str) -> Reference:
    """Read a name and put it in full.

    Raises:
        Invalid: it is none, in the words of dockerd.
    """
    if _ID.fullmatch(text):
        raise Invalid(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise Invalid("invalid reference format")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise Invalid("invalid reference format")
    domain, path = _split(head + slash + last)
    if not _PATH.fullmatch(path):
        if _PATH.fullmatch(path.lower()):
            raise Invalid("invalid reference format: repository name must be lowercase")
        raise Invalid("invalid reference format")
    if not _DOMAIN.fullmatch(domain):
        raise Invalid("invalid reference format")
    if len(domain) + len(path) + 1 > _NAME_MAX:
        raise Invalid(f"repository name must not be more than {_NAME_MAX} characters")
    return Reference(domain, path, tag, digest)


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not (
        "." in first or ":" in first or first == "localhost" or first.startswith("[") or first.lower() != first
    ):
        domain, path = DEFAULT_DOMAIN, name
    else:
        domain, path = first, rest
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _LIBRARY + path
    return domain, path
