"""The log option ``tag``: a template of Go's text/template over what a driver knows of its container. Pure.

Fields and Docker's functions, also in pipelines (``{{.Name | upper}}``); conditions and loops are refused.
Source: moby ``daemon/logger/loginfo.go``, ``daemon/logger/templates``.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from agent.engine.errors import System
from agent.engine.state.records import ContainerRecord

DEFAULT = "{{.ID}}"

_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|-?\d+|\.[\w.]*|\w+)')

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True),
    "split": lambda text, by: text.split(by),
    "join": lambda parts, by: by.join(parts),
    "title": lambda text: re.sub(r"(^|\s)(\S)", lambda found: found[1] + found[2].upper(), text),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "pad": lambda text, before, behind: text and " " * before + text + " " * behind,
    "truncate": lambda text, length: text[:length],
    "index": lambda values, key: values.get(key, "") if isinstance(values, dict) else values[key],
    "print": lambda *values: "".join(map(str, values)),
}


def facts(record: ContainerRecord) -> dict[str, Any]:
    """The fields, by the names that templates use."""
    image = record.image_id.partition(":")[2]
    options = (record.host_config.get("LogConfig") or {}).get("Config") or {}
    return {
        "ID": record.id[:12],
        "FullID": record.id,
        "Name": record.name,
        "ImageID": image[:12],
        "ImageFullID": record.image_id,
        "ImageName": record.image_ref,
        "Command": " ".join([record.path, *record.args]),
        "Hostname": os.uname().nodename,
        "DaemonName": "docker",
        "Config": dict(options),
        "ContainerID": record.id,
        "ContainerName": f"/{record.name}",
        "ContainerEntrypoint": record.path,
        "ContainerArgs": list(record.args),
        "ContainerImageID": record.image_id,
        "ContainerImageName": record.image_ref,
        "ContainerEnv": list(record.config.get("Env") or ()),
        "ContainerLabels": dict(record.labels),
        "LogPath": record.log_path,
    }


def tag(record: ContainerRecord, default: str = "") -> str:
    """The tag of a container's log; empty where none is asked for and there is no default.

    Raises:
        System: a template that cannot be, in Go's words where there are some.
    """
    options = (record.host_config.get("LogConfig") or {}).get("Config") or {}
    return render(options.get("tag") or default, facts(record))


def render(template: str, known: Mapping[str, Any]) -> str:
    """The template with its actions filled in.

    Raises:
        System: see ``tag``.
    """
    out, end = "", 0
    for found in _ACTION.finditer(template):
        before = template[end : found.start()]
        out += before.rstrip() if found[1] else before
        out += _text(_pipeline(found[2], known))
        end = found.end()
        if found[3]:
            end += len(template[end:]) - len(template[end:].lstrip())
    if "{{" in template[end:]:
        raise System("template: log-tag:1: unclosed action")
    return out + template[end:]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{value[key]}' for key in sorted(value))}]"
    return str(value)


def _pipeline(text: str, known: Mapping[str, Any]) -> Any:
    given: list[Any] = []
    for command in re.split(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)', text):
        given = [_command(command, known, given)]
    return given[0]


def _command(text: str, known: Mapping[str, Any], piped: list[Any]) -> Any:
    words, at = list[str](), 0
    text = text.strip()
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            raise System(f'template: log-tag:1: unexpected "{text[at:].strip()[0]}" in command')
        words.append(found[1])
        at = found.end()
    if not words:
        raise System("template: log-tag:1: missing value for command")
    first, *rest = words
    if not first.isidentifier():
        return _value(first, known)
    function = _FUNCTIONS.get(first)
    if function is None:
        raise System(f'template: log-tag:1: function "{first}" not defined')
    try:
        return function(*(_value(word, known) for word in rest), *piped)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        raise System(f'template: log-tag:1: executing "log-tag" at <{text}>: {error}') from error


def _value(word: str, known: Mapping[str, Any]) -> Any:
    if word[0] == '"':
        return json.loads(word)
    if word[0] == "`":
        return word[1:-1]
    if word[0] != ".":
        return int(word)
    if word == ".":
        return dict(known)
    name = word[1:]
    if name not in known:
        raise System(
            f'template: log-tag:1:2: executing "log-tag" at <{word}>: can\'t evaluate field {name} in type *logger.Info'
        )
    return known[name]
