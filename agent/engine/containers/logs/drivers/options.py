"""Which log drivers there are, what options each takes, and what dockerd says of a wrong one. Pure.

dockerd judges names of options at create, and most of their values at start; so do we. Source: moby
``daemon/logger/factory.go``, ``daemon/logger/*/register.go``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.engine.containers.logs.drivers import syslog, tags
from agent.engine.errors import Invalid, System
from agent.engine.state.records import ContainerRecord

Json = dict[str, Any]
Options = Mapping[str, str]

JSON_FILE, LOCAL, JOURNALD, SYSLOG, NONE = "json-file", "local", "journald", "syslog", "none"
DRIVERS = (JOURNALD, JSON_FILE, LOCAL, SYSLOG)
"""As ``docker info`` lists them."""
FORWARDED = frozenset({JOURNALD, SYSLOG})
"""Their log goes elsewhere; what is here is a copy for ``docker logs``."""

_UNKEPT = 1 << 20
_LOCAL_SIZE, _LOCAL_FILES = 20_000_000, 5

_COMMON = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
_FILES = frozenset({"max-size", "max-file", "compress"})
_CACHE = frozenset({"cache-disabled", *(f"cache-{name}" for name in _FILES)})
_ANYWHERE = frozenset({"mode", "max-buffer-size"}) | _CACHE
_ALLOWED: Mapping[str, frozenset[str]] = {
    JSON_FILE: _COMMON | _FILES,
    LOCAL: _COMMON | _FILES,
    JOURNALD: _COMMON,
    SYSLOG: _COMMON | syslog.OPTIONS,
}
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DECIMAL = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4, "p": 1000**5}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?")


@dataclass(frozen=True, slots=True)
class Default:
    """The engine's own choice, for containers that name no driver."""

    driver: str = JSON_FILE
    options: Options = field(default_factory=dict)


DOCKERS = Default()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a log is kept in files."""

    size: int
    """Of one file; 0: no bound."""
    files: int
    compress: bool = False


def config(record: ContainerRecord) -> tuple[str, Options]:
    """A container's driver and its options."""
    found = record.host_config.get("LogConfig") or {}
    return found.get("Type") or JSON_FILE, found.get("Config") or {}


def completed(given: Mapping[str, Any] | None, default: Default) -> Json:
    """``HostConfig.LogConfig`` as inspect shows it.

    Raises:
        Invalid: no such driver, or an option that it has not.
    """
    given = given or {}
    driver = given.get("Type") or default.driver
    options = {str(key): str(value) for key, value in (given.get("Config") or {}).items()}
    own = (
        default.options
        if driver == default.driver
        else {key: default.options[key] for key in _CACHE & set(default.options)}
    )
    options = {**own, **options}
    check(driver, options)
    return {"Type": driver, "Config": options}


def check(driver: str, options: Options) -> None:
    """Judge names, and what dockerd judges at create.

    Raises:
        Invalid: in dockerd's words.
    """
    if driver == NONE:
        return
    mode = options.get("mode", "")
    if mode not in {"", "blocking", "non-blocking"}:
        raise Invalid(f"logger: logging mode not supported: {mode}")
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise Invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        try:
            size(options["max-buffer-size"])
        except System as error:
            raise Invalid(f"error parsing option max-buffer-size: {error}") from error
    disabled = options.get("cache-disabled", "")
    if disabled and disabled not in _TRUE | _FALSE:
        raise Invalid(f"invalid value for option cache-disabled: {disabled}")
    allowed = _ALLOWED.get(driver)
    if allowed is None:
        raise Invalid(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    for name in options:
        if name not in allowed | _ANYWHERE:
            whose = f"log driver {driver}" if driver == LOCAL else f"{driver} log driver"
            raise Invalid(f"unknown log opt '{name}' for {whose}")
    if driver == SYSLOG:
        syslog.check(options)


def readable(record: ContainerRecord) -> bool:
    """``docker logs`` can show it."""
    driver, options = config(record)
    return driver != NONE and not (driver in FORWARDED and options.get("cache-disabled", "") in _TRUE)


def bounds(record: ContainerRecord) -> Bounds:
    """What is kept of a container's log.

    Raises:
        System: a value that cannot be, in dockerd's words.
    """
    driver, options = config(record)
    if driver == NONE:
        # Nobody may read it back, but who is attached reads it from here.
        return Bounds(_UNKEPT, 1)
    if driver == JSON_FILE:
        return _json_file(options)
    if driver == LOCAL:
        return _local(options)
    return _local({name: options[f"cache-{name}"] for name in _FILES if f"cache-{name}" in options})


def _json_file(options: Options) -> Bounds:
    largest = 0
    if "max-size" in options:
        largest = size(options["max-size"])
        if largest <= 0:
            raise System("max-size must be a positive number")
    files = _number(options["max-file"]) if "max-file" in options else 1
    if files < 1:
        raise System("max-file cannot be less than 1")
    compress = "compress" in options and _flag(options["compress"])
    if compress and (files == 1 or not largest):
        raise System("compress cannot be true when max-file is less than 2 or max-size is not set")
    return Bounds(largest, files, compress)


def _local(options: Options) -> Bounds:
    largest = _named("invalid value for max-size: {}: ", size, options.get("max-size", ""), _LOCAL_SIZE)
    files = _named("invalid value for max-file: {}: ", _number, options.get("max-file", ""), _LOCAL_FILES)
    compress = bool(_named("error reading compress log option: ", _flag, options.get("compress", ""), True))
    if files < 0:
        raise System("max-file must not be negative")
    if compress and files <= 1:
        raise System("compression cannot be enabled when max file count is 1")
    return Bounds(largest, max(1, files), compress)


def _named(words: str, read: Callable[[str], int], value: str, default: int) -> int:
    if not value:
        return default
    try:
        return read(value)
    except System as error:
        raise System(f"{words.format(value)}{error}") from error


def size(text: str) -> int:
    """``10m`` in bytes: ten million, as dockerd reads it.

    Raises:
        System: it is no size.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise System(f"invalid size: '{text}'")
    return int(float(found[1]) * _DECIMAL[found[2]])


def _number(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise System(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _flag(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise System(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in _TRUE


def attributes(record: ContainerRecord) -> dict[str, str]:
    """Labels and variables that the options name, shown by ``--details``.

    Raises:
        System: an expression that is none.
    """
    _, options = config(record)
    environment = dict(entry.partition("=")[::2] for entry in record.config.get("Env") or [] if "=" in entry)
    found: dict[str, str] = {}
    for option, values in (("labels", record.labels), ("env", environment)):
        for key in filter(None, options.get(option, "").split(",")):
            if key in values:
                found[key] = values[key]
        if expression := options.get(f"{option}-regex", ""):
            try:
                wanted = re.compile(expression)
            except re.error as error:
                raise System(f"error parsing regexp: {error}: `{expression}`") from error
            found |= {key: value for key, value in values.items() if wanted.search(key)}
    return found


def details(record: ContainerRecord) -> dict[str, str]:
    """``attributes``, and the tag where one is asked for.

    Raises:
        System: a value that cannot be.
    """
    found = attributes(record)
    if config(record)[0] in {JSON_FILE, LOCAL} and (given := tags.tag(record)):
        found["tag"] = given
    return found


def check_start(record: ContainerRecord) -> None:
    """Judge the values, as dockerd does when a container starts.

    Raises:
        System: in dockerd's words.
    """
    try:
        bounds(record)
        details(record)
    except System as error:
        raise System(f"failed to initialize logging driver: {error}") from error
