"""Lists: keyset pages over (order fields, id), filters by name, exact counts.

REST framework's CursorPagination loses rows when many have the same key; here the id is always the last key, so every
row has a place of its own. A cursor holds the keys of the row at the page's edge and the side on which to go on.
"""

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common.errors import invalid_field
from controlplane.common.serializers import Query, Repeated

M = TypeVar("M", bound=Model)
LARGEST = 500


class ListQuery(Query):
    """The parameters of every list; a noun's own filters are added by its subclass."""

    page_size = serializers.IntegerField(min_value=1, max_value=LARGEST, default=100)
    cursor = serializers.CharField(max_length=2000, required=False)
    order = serializers.CharField(max_length=100, required=False)
    search = serializers.CharField(max_length=255, required=False, allow_blank=True)
    id = Repeated(serializers.UUIDField())


@dataclass(frozen=True)
class Ordering:
    """What a list may be ordered by.

    Attributes:
        fields: the word of the API -> an expression that is never null.
        default: as a client would write it.
    """

    fields: Mapping[str, str | Combinable]
    default: str

    def parse(self, words: str) -> list[tuple[str, bool]]:
        """`-created_at,name` as (name, descending) pairs.

        Raises:
            Invalid: a name that the list does not have.
        """
        keys = [(word.lstrip("-"), word.startswith("-")) for word in words.split(",")]
        for name, _ in keys:
            if name not in self.fields:
                raise invalid_field(
                    "/order", "unknown_order", f"Cannot order by {name!r}; known: {', '.join(self.fields)}"
                )
        return keys


@dataclass(frozen=True)
class Cursor:
    """A place between two rows."""

    values: list[Any]
    back: bool

    def write(self, words: str) -> str:
        """Opaque text; it holds the order it was made for."""
        raw = json.dumps([words, self.back, self.values], default=_plain, separators=(",", ":"))
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, words: str) -> "Cursor":
        """The place that a client gives back.

        Raises:
            Invalid: not ours, or of another order.
        """
        try:
            made_for, back, values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            usable = isinstance(values, list) and isinstance(back, bool) and made_for == words
        except (ValueError, TypeError, binascii.Error, RecursionError):
            usable = False
        if not usable:
            raise invalid_field("/cursor", "bad_cursor", "The cursor is not of this list in this order: begin anew")
        return cls(values, back)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def page(
    request: Request,
    query: Mapping[str, Any],
    rows: QuerySet[M],
    *,
    ordering: Ordering,
    render: Callable[[Sequence[M]], list[Any]],
) -> Response:
    """One page of `rows`, which are filtered already.

    Args:
        query: the validated parameters.
        render: the page's rows as JSON; called once, so that it can fetch what belongs to them in bulk.
    """
    if query.get("id"):
        rows = rows.filter(pk__in=query["id"])
    words = query.get("order") or ordering.default
    keys = ordering.parse(words)
    count = rows.count()
    named = rows.annotate(**{f"key_{n}": _expression(ordering.fields[name]) for n, (name, _) in enumerate(keys)})
    fields = [(f"key_{n}", down) for n, (_, down) in enumerate(keys)]
    fields.append(("pk", keys[-1][1]))
    cursor = Cursor.read(query["cursor"], words) if "cursor" in query else None
    back = cursor is not None and cursor.back
    ordered = named.order_by(*(f"{'-' if down != back else ''}{name}" for name, down in fields))
    if cursor is not None:
        try:
            ordered = ordered.filter(_beyond(fields, cursor))
            found = list(ordered[: query["page_size"] + 1])
        except (ValidationError, ValueError, TypeError):
            raise invalid_field("/cursor", "bad_cursor", "The cursor is not of this list: begin anew") from None
    else:
        found = list(ordered[: query["page_size"] + 1])
    more, found = len(found) > query["page_size"], found[: query["page_size"]]
    if back:
        found.reverse()
    has_next, has_previous = (cursor is not None, more) if back else (more, cursor is not None)

    def link(row: M, to_back: bool) -> str:
        values = [getattr(row, name) for name, _ in fields]
        parameters = request.query_params.copy()
        parameters["cursor"] = Cursor(values, to_back).write(words)
        return f"{request.path}?{urlencode(list(_pairs(parameters)))}"

    return Response(
        {
            "results": render(found),
            "count": count,
            "next": link(found[-1], False) if has_next and found else None,
            "previous": link(found[0], True) if has_previous and found else None,
        }
    )


def _pairs(parameters: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, values in parameters.lists() for value in values]


def _expression(key: str | Combinable) -> Any:
    return F(key) if isinstance(key, str) else key


def _beyond(fields: Sequence[tuple[str, bool]], cursor: Cursor) -> Q:
    """Rows after the cursor: the first key is beyond, or equal and the second is beyond, and so on.

    Raises:
        ValueError: the cursor has another number of keys.
    """
    if len(cursor.values) != len(fields):
        raise ValueError("another number of keys")
    beyond, equal = Q(), Q()
    for (name, down), value in zip(fields, cursor.values, strict=True):
        if isinstance(value, dict | list) or value is None:
            raise ValueError("a key that is no value")
        side = "lt" if down != cursor.back else "gt"
        beyond |= equal & Q(**{f"{name}__{side}": value})
        equal &= Q(**{name: value})
    return beyond


def is_uuid(text: str) -> bool:
    """Whether a filter's value is an id; otherwise it is a name."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def by_id_or_name(prefix: str, words: Sequence[str]) -> Q:
    """`?host=web-1&host=<id>`: either, or both."""
    ids = [word for word in words if is_uuid(word)]
    names = [word for word in words if not is_uuid(word)]
    return Q(**{f"{prefix}_id__in": ids}) | Q(**{f"{prefix}__name__in": names})


def by_labels(words: Sequence[str]) -> Q:
    """`?label=a=b&label=c`: any of them; without a value it is enough that the label is there.

    Raises:
        Invalid: a label without a key.
    """
    found = Q()
    for word in words:
        key, equals, value = word.partition("=")
        if not key:
            raise invalid_field("/label", "bad_label", "A label's key must not be empty")
        # The key is data: it may hold dots and double underscores, so it never becomes part of a lookup's name.
        found |= Q(Exact(KeyTextTransform(key, "labels"), Value(value))) if equals else Q(labels__has_key=key)
    return found


def in_labels(words: str) -> Q:
    """Rows with the words in a label's key or value, or with the label `key=value`."""
    key, equals, _ = words.partition("=")
    found = Q(labels__icontains=words)
    return found | by_labels([words]) if key and equals else found


def by_words(rows: QuerySet[M], query: Mapping[str, Any], *exact: str, searched: str = "name") -> QuerySet[M]:
    """Rows of objects that hosts have, by what a list of them can be asked for.

    Args:
        query: as its serializer left it: `host`, `label` and `search` too.
        exact: columns of which the query names the values.
        searched: the column in which `search` looks besides the name.

    Raises:
        Invalid: a label without a key.
    """
    for name in exact:
        if query.get(name):
            rows = rows.filter(**{f"{name}__in": query[name]})
    if query.get("host"):
        rows = rows.filter(by_id_or_name("host", query["host"]))
    if query.get("label"):
        rows = rows.filter(by_labels(query["label"]))
    if query.get("search"):
        rows = rows.filter(Q(name__icontains=query["search"]) | Q(**{f"{searched}__icontains": query["search"]}))
    return rows
