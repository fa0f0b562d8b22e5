"""Search a registry, by the protocol of version 1: the only one that has a search. Docker Engine API: ImageSearch.

Docker Hub answers it, and some private registries do; those of the distribution specification do not.
"""

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from yarl import URL

from agent.engine.errors import Invalid, System, Unavailable
from agent.engine.registry.client import Registries, read_whole
from agent.engine.registry.keychain import Credentials
from agent.engine.registry.transport import Transport

Json = dict[str, Any]
DEFAULT_LIMIT, LARGEST_LIMIT = 25, 100
ANSWER_LIMIT = 4 << 20
_HUB = "index.docker.io"


def split(term: str) -> tuple[str, str]:
    """The registry to ask, empty for Docker Hub, and what to ask it for.

    Raises:
        Invalid: the term begins with a scheme.
    """
    if "://" in term:
        raise Invalid(f"invalid repository name: repository name ({term}) should not have a scheme")
    head, slash, tail = term.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        return head, tail
    return "", term.removeprefix("library/")


def row(found: Mapping[str, Any]) -> Json:
    """One result, with all keys and no others; nobody trusts what registries say of automated builds."""
    return {
        "star_count": int(found.get("star_count") or 0),
        "is_official": bool(found.get("is_official")),
        "name": str(found.get("name") or ""),
        "is_automated": False,
        "description": str(found.get("description") or ""),
    }


async def search(registries: Registries, term: str, limit: int, credentials: Credentials | None) -> Sequence[Json]:
    """What a registry finds for a term.

    Raises:
        Invalid: the term or the limit cannot be.
        System: the registry does not answer, or has no search.
    """
    domain, name = split(term)
    if not 1 <= limit <= LARGEST_LIMIT:
        raise Invalid(f"Limit {limit} is outside the range of [1, {LARGEST_LIMIT}]")
    headers = {}
    if credentials and credentials.username:
        pair = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    async with _reached(registries, domain) as (transport, root):
        url = (root / "search").with_query(q=name, n=str(limit))
        try:
            response = await transport.request("GET", url, headers=headers)
        except Unavailable as error:
            raise System(str(error)) from error
        async with response:
            if response.status != 200:
                raise System(f"Unexpected status code {response.status}")
            body = await read_whole(response, ANSWER_LIMIT)
    try:
        return [row(found) for found in json.loads(body).get("results") or []]
    except (ValueError, AttributeError, TypeError) as error:
        raise System(f"error decoding registry search results: {error}") from error


@asynccontextmanager
async def _reached(registries: Registries, domain: str) -> AsyncIterator[tuple[Transport, URL]]:
    """The first of a registry's addresses that answers at all."""
    if not domain:
        async with registries.transport(URL(f"https://{_HUB}")) as transport:
            yield transport, URL(f"https://{_HUB}/v1")
        return
    tried = []
    insecure = registries.is_insecure(domain)
    for scheme in ("https", "http") if insecure else ("https",):
        root = URL(f"{scheme}://{domain}/v1")
        async with registries.transport(URL(f"{scheme}://{domain}"), insecure=insecure) as transport:
            try:
                (await transport.request("GET", root / "_ping")).release()
            except Unavailable as error:
                tried.append(f"{scheme.upper()} attempt: {error}")
                continue
            yield transport, root
            return
    raise System(f'invalid registry endpoint "{root}/". {". ".join(tried)}')
