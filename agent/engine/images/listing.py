"""Which images a list shows. Pure.

Filters of ``GET /images/json``: dangling, label, before, since, reference; until is its router's.
"""

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence

from agent.engine.errors import Invalid
from agent.engine.images import reference
from agent.engine.images.shapes import unix_seconds
from agent.engine.images.store import Image

ALLOWED = frozenset({"dangling", "label", "before", "since", "reference", "until"})
# A bracket that does not close, or a backslash before nothing, as Go's path.Match refuses them.
_UNCLOSED = re.compile(r"\[[^\]]*$|(?<!\\)(?:\\\\)*\\$")
_YES, _NO = frozenset({"1", "true"}), frozenset({"0", "false"})


def select(
    images: Sequence[Image],
    filters: Mapping[str, list[str]],
    *,
    all_: bool,
    find: Callable[[str], Image],
    children: Callable[[str], bool],
) -> list[Image]:
    """The images to show, each with the names that fit.

    Args:
        all_: also unnamed images that others are built on.
        find: the image of a name; raises NotFound.
        children: some image was built on this one.

    Raises:
        Invalid: a filter's value makes no sense.
        NotFound: an image named by ``before`` or ``since`` is not here.
    """
    dangling = boolean(filters, "dangling")
    before = [unix_time(find(ref)) for ref in filters.get("before", ())]
    since = [unix_time(find(ref)) for ref in filters.get("since", ())]
    patterns = filters.get("reference", [])
    if any(_UNCLOSED.search(pattern) for pattern in patterns):
        raise Invalid("syntax error in pattern")
    shown: list[Image] = []
    for image in images:
        created = unix_time(image)
        if any(created >= limit for limit in before) or any(created <= limit for limit in since):
            continue
        if not has_labels(image.labels, filters.get("label", ())):
            continue
        tags = [tag for tag in image.repo_tags if not patterns or _fits(tag, patterns)]
        digests = [digest for digest in image.repo_digests if not patterns or _fits(digest, patterns)]
        if patterns and not tags and not digests:
            continue
        if not image.repo_tags and not image.repo_digests:
            if dangling is False or (not all_ and children(image.id)):
                continue
        elif dangling and image.repo_tags:
            continue
        shown.append(_named(image, tags, digests))
    return shown


def _named(image: Image, tags: list[str], digests: list[str]) -> Image:
    return Image(
        image.id, image.config, image.chain_id, image.size, tags, digests, image.parent, image.chains, image.tagged_ns
    )


def unix_time(image: Image) -> tuple[int, str]:
    """When the image was made, to compare."""
    return unix_seconds(image.created), image.created


def boolean(filters: Mapping[str, list[str]], key: str) -> bool | None:
    """A filter that is yes or no; None where absent.

    Raises:
        Invalid: it is neither, or both.
    """
    values = filters.get(key)
    if not values:
        return None
    if all(value.lower() in _YES for value in values):
        return True
    if all(value.lower() in _NO for value in values):
        return False
    raise Invalid(f"Invalid filter '{key}=[{' '.join(values)}]'")


def has_labels(labels: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """All of ``key`` or ``key=value`` are there."""
    for item in wanted:
        key, equals, value = item.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def _fits(name: str, patterns: Sequence[str]) -> bool:
    found = reference.parse(name)
    return any(_match(pattern, found.familiar) or _match(pattern, found.familiar_name) for pattern in patterns)


def _match(pattern: str, text: str) -> bool:
    """Go's path.Match: a star stops at a slash."""
    wanted, given = pattern.split("/"), text.split("/")
    return len(wanted) == len(given) and all(
        fnmatch.fnmatchcase(one, other) for one, other in zip(given, wanted, strict=True)
    )
