"""`/api/docs/`: the API as a page, made from its own schema; no script, so that the strict CSP holds."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

STYLE: Final = """
body{font:14px/20px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
h2{border-bottom:1px solid #d0d7de;margin-top:2rem}code{font-family:ui-monospace,monospace}
summary{cursor:pointer;padding:.25rem 0}summary b{display:inline-block;width:4.5rem}
table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#14171c;color:#e6e9ee}a{color:#6aa8ff}}
"""


@require_safe
def api_page(request: HttpRequest) -> HttpResponse:
    """Every operation, by noun."""
    return HttpResponse(_page())


@lru_cache(maxsize=1)
def _page() -> str:
    schema: Mapping[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    nouns: dict[str, list[SafeString]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            nouns.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    body = format_html_join("", "<h2 id='{}'>{}</h2>{}", ((n, n, format_html_join("", "{}", ((o,) for o in ops)))
                                                         for n, ops in sorted(nouns.items())))  # fmt: skip
    return format_html(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>API · Longshore</title><style>{}</style><main><h1>API</h1><p>{} Sign in with "
        "<code>Authorization: Bearer ls_…</code>. The document itself: <a href='/api/schema/'>OpenAPI 3.1</a>.</p>{}"
        "</main></html>",
        SafeString(STYLE), schema["info"]["description"], body,
    )  # fmt: skip


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> SafeString:
    rows = format_html_join("", "<tr><td><code>{}</code></td><td>{}</td></tr>", _rows(operation))
    return format_html(
        "<details><summary><b>{}</b> <code>{}</code> {}</summary><table>{}</table></details>",
        method.upper(), path, operation.get("summary", ""), rows,
    )  # fmt: skip


def _rows(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "right", operation["x-right"]
    if "x-order" in operation:
        yield "order", operation["x-order"]
    for parameter in operation.get("parameters", ()):
        yield f"?{parameter['name']}" if parameter["in"] == "query" else parameter["name"], _type(parameter["schema"])
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", f"{content['schema'].get('$ref', '').rpartition('/')[2]} ({media})"


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(str(word) for word in schema["enum"])
    inner = f" of {_type(schema['items'])}" if "items" in schema else ""
    return f"{schema.get('$ref', '').rpartition('/')[2] or schema.get('format') or schema.get('type', '')}{inner}"
