"""A container's ``Config``: what the client asked for, over what its image says. Pure.

Null and absent mean "the image's"; an empty entrypoint that the client gave on purpose (``[""]``) means "none".
"""

import posixpath
from collections.abc import Mapping
from typing import Any

from agent.engine.containers.options import signals
from agent.engine.errors import Invalid

Json = dict[str, Any]

MINIMUM_HEALTH_NS = 1_000_000

_DEFAULTS: Json = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
    "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": None, "Image": "", "Volumes": None,
    "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": {},
}  # fmt: skip
_OPTIONAL = ("ExposedPorts", "Healthcheck", "StopSignal", "StopTimeout", "Shell", "MacAddress", "NetworkDisabled")

KEYS = frozenset({*_DEFAULTS, *_OPTIONAL, "ArgsEscaped"})
"""All keys of the request's body that are Config; the rest are HostConfig, NetworkingConfig, or unknown."""


def _name_of(variable: str) -> str:
    return variable.partition("=")[0]


def _merged_env(wanted: list[str] | None, image: list[str] | None) -> list[str] | None:
    if not image:
        return wanted
    have = {_name_of(variable) for variable in wanted or []}
    return [*(wanted or []), *(variable for variable in image if _name_of(variable) not in have)]


def _merged_health(wanted: Json | None, image: Json | None) -> Json | None:
    if not image:
        return wanted
    if not wanted:
        return image
    return {**image, **{key: value for key, value in wanted.items() if value}}


def completed(body: Mapping[str, Any], image: Mapping[str, Any], container_id: str) -> Json:
    """The container's Config, as inspect shows it.

    Args:
        body: the create request's.
        image: the ``config`` part of the image's configuration.
        container_id: names the host where the client does not.

    Raises:
        Invalid: a value that cannot be, or nothing to run.
    """
    config: Json = {key: default if body.get(key) is None else body[key] for key, default in _DEFAULTS.items()}
    config |= {key: [config[key]] for key in ("Cmd", "Entrypoint") if isinstance(config[key], str)}
    config |= {key: body[key] for key in _OPTIONAL if body.get(key) not in (None, "", {})}
    if not config["Entrypoint"]:
        if not config["Cmd"]:
            config["Cmd"] = image.get("Cmd")
        if config["Entrypoint"] is None:
            config["Entrypoint"] = image.get("Entrypoint")
    config["User"] = config["User"] or image.get("User") or ""
    config["WorkingDir"] = config["WorkingDir"] or image.get("WorkingDir") or ""
    config["Env"] = _merged_env(config["Env"], image.get("Env"))
    config["Labels"] = {**(image.get("Labels") or {}), **config["Labels"]}
    for key in ("ExposedPorts", "Volumes"):
        if image.get(key):
            config[key] = {**image[key], **(config.get(key) or {})}
    for key in ("StopSignal", "Shell", "StopTimeout"):
        if image.get(key) and not config.get(key):
            config[key] = image[key]
    if (health := _merged_health(config.get("Healthcheck"), image.get("Healthcheck"))) is not None:
        config["Healthcheck"] = health
    config["Volumes"] = config["Volumes"] or None
    config["Hostname"] = config["Hostname"] or container_id[:12]
    if config["Entrypoint"] == [""]:
        config["Entrypoint"] = None
    _check(config)
    if config["WorkingDir"]:
        config["WorkingDir"] = "/" + posixpath.normpath(config["WorkingDir"]).lstrip("/")
    return config


def command(config: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """(program, arguments).

    Raises:
        Invalid: neither client nor image names one.
    """
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    if not words:
        raise Invalid("No command specified")
    return words[0], tuple(words[1:])


def _check(config: Json) -> None:
    directory = config["WorkingDir"]
    if directory and not directory.startswith("/"):
        raise Invalid(f"the working directory '{directory}' is invalid, it needs to be an absolute path")
    if config.get("StopSignal"):
        signals.parse(config["StopSignal"])
    for variable in config["Env"] or []:
        if not _name_of(variable):
            raise Invalid(f"invalid environment variable: {variable}")
        if "\0" in variable:
            raise Invalid("invalid environment variable: it holds a NUL byte")
    if health := config.get("Healthcheck"):
        _check_health(health)


def _check_health(health: Mapping[str, Any]) -> None:
    for key in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        if 0 != (health.get(key) or 0) < MINIMUM_HEALTH_NS:
            raise Invalid(f"{key} in Healthcheck cannot be less than 1ms")
    if (health.get("Retries") or 0) < 0:
        raise Invalid("Retries in Healthcheck cannot be negative")
    test = health.get("Test") or []
    if test and test[0] not in {"", "NONE", "CMD", "CMD-SHELL"}:
        raise Invalid(f"Unknown type in Healthcheck: {test[0]!r}, only NONE, CMD and CMD-SHELL are known")
