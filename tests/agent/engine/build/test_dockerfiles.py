"""Every folder of cases/ is a Dockerfile and what parser, plan and configuration make of it."""

import json
import pathlib
import re

import pytest

from agent.engine.build import config, parser, plan
from agent.engine.build.expand import expand_text
from agent.engine.build.instructions import Copy, InlineFile, Run
from agent.engine.build.lexer import DockerfileError
from agent.engine.build.scope import Platform, StageScope
from agent.engine.errors import Invalid

CASES = sorted(pathlib.Path(__file__).with_name("cases").iterdir())


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case(folder: pathlib.Path) -> None:
    spec = json.loads((folder / "case.json").read_text())
    source = (folder / "Dockerfile").read_bytes()
    if "error" in spec:
        with pytest.raises(Invalid, match=spec["error"]) as caught:
            evaluate(source, spec)
        if "line" in spec:
            assert isinstance(caught.value, DockerfileError)
            assert caught.value.line == spec["line"]
            assert f"line {spec['line']} of Dockerfile" in str(caught.value)
        return
    made, state, seen = evaluate(source, spec)
    for key, wanted in spec.get("config", {}).items():
        got = {name: state.env.get(name, "") for name in wanted} if key == "Env" else state.config.get(key)
        assert got == wanted, key
    assert state.author == spec.get("author", "")
    assert [stage.index for stage in made.stages] == spec.get("stages", [stage.index for stage in made.stages])
    assert seen["runs"] == spec.get("runs", seen["runs"])
    assert seen["copies"] == spec.get("copies", seen["copies"])
    assert made.scope.unused() == spec.get("unused", [])
    assert spec.get("warning", "") in "\n".join(made.dockerfile.warnings)
    if "base" in spec:
        assert made.stages[-1].base == spec["base"]


def evaluate(source: bytes, spec: dict) -> tuple[plan.Plan, config.StageState, dict[str, list]]:
    made = plan.make(
        parser.parse(source),
        given=spec.get("given", {}),
        labels=spec.get("labels", {}),
        platform=Platform(),
        target=spec.get("target", ""),
    )
    states: dict[int, config.StageState] = {}
    seen: dict[str, list] = {"runs": [], "copies": []}
    for stage in made.stages:
        base = {} if stage.parent is None else states[stage.parent].config
        state = states[stage.index] = config.StageState.begin(base, StageScope(made.scope))
        for instruction in stage.instructions:
            if isinstance(instruction, Run):
                seen["runs"].append(state.command_line(instruction.command))
            elif isinstance(instruction, Copy):
                seen["copies"].append([shown(source, state) for source in instruction.sources])
            else:
                with plan.located(made.dockerfile, instruction):
                    config.apply(state, instruction)
    return made, states[made.stages[-1].index], seen


def shown(source: str | InlineFile, state: config.StageState) -> object:
    if isinstance(source, str):
        return state.expand(source)
    content = expand_text(source.content, state.scope.variables(state.env)) if source.expand else source.content
    return [source.name, content]


def test_no_two_cases_are_without_a_purpose() -> None:
    abouts = [json.loads((folder / "case.json").read_text())["about"] for folder in CASES]
    assert all(abouts)
    assert not [about for about in abouts if re.search(r"^\s|\s$", about)]
