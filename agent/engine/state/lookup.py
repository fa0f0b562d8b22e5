"""From what a client wrote to an object: its full id, else its name, else the only id that begins so. dockerd's
order.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from agent.engine.errors import Invalid, NotFound

R = TypeVar("R")


def only_prefix(ids: Iterable[str], prefix: str) -> str | None:
    """The one id that begins with the prefix; None where there is none.

    Raises:
        Invalid: several do.
    """
    found = [id_ for id_ in ids if id_.startswith(prefix)] if prefix else []
    if len(found) > 1:
        raise Invalid(f"multiple IDs found with provided prefix: {prefix}")
    return found[0] if found else None


def resolve(ref: str, by_id: Callable[[str], R | None], names: Mapping[str, str], ids: Iterable[str], noun: str) -> R:
    """The object that ``ref`` means.

    Raises:
        NotFound: ``No such <noun>: <ref>``.
        Invalid: the prefix fits several ids.
    """
    record = by_id(ref)
    if record is None and (named := names.get(ref.removeprefix("/"))) is not None:
        record = by_id(named)
    if record is None and (full := only_prefix(ids, ref)) is not None:
        record = by_id(full)
    if record is None:
        raise NotFound(f"No such {noun}: {ref}")
    return record
