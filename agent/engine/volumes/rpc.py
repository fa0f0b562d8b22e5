"""One call to a plugin: a POST of JSON, an object of JSON in answer, never later than its deadline.

Each call has a connection of its own, so that a plugin that has died and come back is simply there again.
"""

import asyncio
import json
import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from agent.engine.errors import System, Unavailable
from agent.engine.volumes.discovery import Address, Tls

Json = dict[str, Any]

MIMETYPE = "application/vnd.docker.plugins.v1.2+json"
MOST = 8 << 20
"""Bytes of an answer: a list of very many volumes is well below."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


async def call(address: Address, method: str, arguments: Mapping[str, Any], *, seconds: float, patient: bool) -> Json:
    """Call a method of a plugin.

    Args:
        address: where it listens.
        method: e.g. ``VolumeDriver.Mount``.
        arguments: the body.
        seconds: all that it may take.
        patient: while nobody listens there, try again until the time is over.

    Raises:
        Unavailable: nobody listens, or there was no answer in time.
        System: the plugin answered with an error, or with what is no answer.
    """
    clock = asyncio.get_running_loop().time
    ends = clock() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            async with asyncio.timeout_at(ends):
                return await _once(address, method, arguments)
        except TimeoutError:
            late = f"context deadline exceeded after {seconds:g} s"
            raise Unavailable(f'Post "{_shown(address, method)}": {late}') from None
        except aiohttp.ClientConnectorError as error:
            if not patient or clock() + pause >= ends:
                raise Unavailable(f'Post "{_shown(address, method)}": {_dialling(address, error)}') from error
        except aiohttp.ClientError as error:
            raise Unavailable(f'Post "{_shown(address, method)}": {str(error) or type(error).__name__}') from error
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _once(address: Address, method: str, arguments: Mapping[str, Any]) -> Json:
    if address.scheme == "unix":
        connector: aiohttp.BaseConnector = aiohttp.UnixConnector(address.socket, force_close=True)
        base = "http://plugin.moby.localhost"
    else:
        parts = urlsplit(address.url)
        connector = aiohttp.TCPConnector(ssl=_context(address.tls) if address.tls else False, force_close=True)
        base = f"{'https' if parts.scheme == 'https' else 'http'}://{parts.netloc}"
    async with (
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout()) as session,
        session.post(
            f"{base}/{method}",
            data=json.dumps(arguments),
            headers={"Accept": MIMETYPE, "Content-Type": MIMETYPE},
            allow_redirects=False,
        ) as answer,
    ):
        body = await answer.content.read(MOST)
        while len(body) < MOST and (more := await answer.content.read(MOST - len(body))):
            body += more
        return _understood(method, answer.status, body)


def _understood(method: str, status: int, body: bytes) -> Json:
    try:
        answer = json.loads(body)
    except ValueError as error:
        if status != 200:
            raise System(f"{method}: {body[:500].decode(errors='replace').strip()}") from error
        raise System(f"{method}: the plugin's answer is no JSON: {error}") from error
    if not isinstance(answer, dict):
        raise System(f"{method}: the plugin's answer is no object")
    words = answer.get("Err")
    if status != 200:
        raise System(f"{method}: {words or body[:500].decode(errors='replace').strip()}")
    if words:
        raise System(str(words))
    return answer


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file or None)
        if tls.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file or None)
    except OSError as error:
        raise System(f"a plugin's TLSConfig cannot be used: {error}") from error
    return context


def _dialling(address: Address, error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno or 0
    reason = (os.strerror(number) if number > 0 else str(error.os_error)).lower()
    if address.scheme == "unix":
        return f"dial unix {address.socket}: connect: {reason}"
    return f"dial tcp {urlsplit(address.url).netloc}: connect: {reason}"


def _shown(address: Address, method: str) -> str:
    if address.scheme == "unix":
        return f"http://{quote(address.socket, safe='')}/{method}"
    return f"{address.url.replace('tcp://', 'http://', 1)}/{method}"
