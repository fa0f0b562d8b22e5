"""The dashboard's one page, and the page of a problem's type."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import escape
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

THEMES: Final = frozenset({"light", "dark", "system"})
_WORDS: Final = re.compile(r"^[a-z0-9_]{1,64}$")


@ensure_csrf_cookie
@require_safe
def dashboard(request: HttpRequest, path: str = "") -> HttpResponse:
    """The same page for every address that is not the API's: the browser's router reads the rest."""
    index = Path(settings.FRONTEND_DIST) / "index.html"
    if not index.is_file():
        return HttpResponse("The dashboard is not built: run scripts/up\n", content_type="text/plain", status=503)
    theme = request.COOKIES.get("longshore_theme", "")
    page = _page(index, index.stat().st_mtime_ns)
    if theme in THEMES:
        # Set before the first paint, so that a dark page never flashes white.
        page = page.replace('data-theme="system"', f'data-theme="{theme}"', 1)
    response = HttpResponse(page)
    response["Cache-Control"] = "no-cache"
    return response


@lru_cache(maxsize=2)
def _page(index: Path, changed: int) -> str:
    return index.read_text()


@require_safe
def problem_type(request: HttpRequest, code: str) -> HttpResponse:
    """What a problem's `type` leads to."""
    if not _WORDS.match(code):
        return JsonResponse({"detail": "No such problem"}, status=404)
    words = escape(code.replace("_", " ").capitalize())
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{words} · Longshore</title>"
        f"<h1>{words}</h1><p>The API answers with the code <code>{escape(code)}</code>. What happened, to which object "
        "and what to do about it stand in the answer's <code>detail</code>; <code>errors</code> points at the fields "
        "of the request, <code>instance</code> is the request's id in the server's log.</p>"
    )
    return HttpResponse(text)
