"""Dockerfile instructions that ``commit`` and ``import`` apply to a configuration (``docker commit -c``). Pure.

Source: moby ``builder/dockerfile/builder.go`` (``BuildFromConfig``).
"""

import copy
from collections.abc import Sequence

from agent.engine.build.config import FIELDS, Json, StageState, apply
from agent.engine.build.lexer import read
from agent.engine.build.parser import parse_statement
from agent.engine.build.scope import Globals, Platform, StageScope
from agent.engine.errors import Invalid

ALLOWED = frozenset(
    {"cmd", "entrypoint", "healthcheck", "env", "expose", "label", "onbuild", "user", "volume", "workdir"}
)


def apply_changes(config: Json, changes: Sequence[str]) -> Json:
    """The configuration with each change applied in turn.

    Raises:
        Invalid: no instruction, or one that may not change an image so.
    """
    state = StageState(
        copy.deepcopy(FIELDS) | copy.deepcopy({key: value for key, value in config.items() if value is not None}),
        StageScope(Globals({}, Platform(), "", "\\")),
    )
    if not any(change.strip() for change in changes):
        return state.config
    source = read("\n".join(changes).encode(), "change")
    for statement in source.statements:
        if statement.keyword.lower() not in ALLOWED:
            raise Invalid(f"{statement.keyword.lower()} is not a valid change command")
        apply(state, parse_statement(statement, source.escape, "change"))
    return state.config
