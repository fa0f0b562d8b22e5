"""The Docker Engine API versions that are served, and how a path says which one it wants.

A path is ``/v1.NN/…`` or has no prefix, which means the newest. Docker Engine API: "Versioned API".
"""

import re

from agent.engine.errors import Invalid

Version = tuple[int, int]

ENGINE = "0.1.0"
NEWEST: Version = (1, 47)
# Traefik and other clients that never negotiate still call /v1.24.
OLDEST: Version = (1, 24)
# Up to here (Docker 20.10) a request that cannot be read was answered with 500; from 1.42 with 400.
LAST_LENIENT: Version = (1, 41)

_PREFIX = re.compile(r"/v(\d{1,4}(?:\.\d{1,4})?)(?=/)")


def text(version: Version) -> str:
    """``(1, 47)`` as ``1.47``."""
    return f"{version[0]}.{version[1]}"


def split(path: str) -> tuple[Version, str]:
    """The version that a path asks for, and the path without it.

    Raises:
        Invalid: the version is outside of what is served, in dockerd's words, which clients match.
    """
    found = _PREFIX.match(path)
    if found is None:
        return NEWEST, path
    asked = found[1]
    major, _, minor = asked.partition(".")
    version = (int(major), int(minor or 0))
    if version > NEWEST:
        raise Invalid(f"client version {asked} is too new. Maximum supported API version is {text(NEWEST)}")
    if version < OLDEST:
        raise Invalid(
            f"client version {asked} is too old. Minimum supported API version is {text(OLDEST)}, "
            "please upgrade your client to a newer version"
        )
    return version, path[found.end() :]
