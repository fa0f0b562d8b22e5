"""What a build was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class BuildOptions:
    """The query of ``POST /build``, read."""

    dockerfile: str = "Dockerfile"
    tags: tuple[str, ...] = ()
    quiet: bool = False
    no_cache: bool = False
    cache_from: tuple[str, ...] = ()
    """Images whose own steps alone may be taken from the cache; none: any image's."""
    pull: bool = False
    remove: bool = True
    """Say that step containers are removed; ours are, in any case."""
    arguments: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    platform: str = ""
    network: str = ""
    host_config: Json = field(default_factory=dict)
    """Limits, hosts and security options of RUN, in Docker's names."""
    credentials: Mapping[str, Json] = field(default_factory=dict)
    """Registry → AuthConfig, from ``X-Registry-Config``."""
