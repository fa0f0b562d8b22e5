"""Whatever the text, the pure half answers with a plan or with a sentence, never with an error of its own."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.engine.build import config, parser, plan
from agent.engine.build.expand import expand_text, expand_word, expand_words
from agent.engine.build.ignore import Ignore, read_patterns
from agent.engine.build.instructions import Copy, Run
from agent.engine.build.mounts import parse_mount
from agent.engine.build.scope import Platform, StageScope
from agent.engine.errors import Invalid

WORDS = st.sampled_from(
    ["FROM", "busy", "AS", "a", "RUN", "COPY", "ADD", "--from=a", "--mount=target=/x", "ENV", "A=b", "$A", "${A:-", "}",
     "${A%%b*}", "${A//b/c}", "<<EOF", "EOF", "\\", "\n", "#", "# escape=`", "`", '"', "'", "[", "]", '["a"]', "ARG",
     "LABEL", "EXPOSE", "80-90/tcp", "HEALTHCHECK", "CMD", "--interval=1s", "ONBUILD", "SHELL", "STOPSIGNAL", "9",
     "USER", "VOLUME", "WORKDIR", "/", "..", "=", " ", "\t", "ENTRYPOINT", "MAINTAINER"]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=30).map(" ".join) | st.lists(WORDS, max_size=30).map("".join)


@given(TEXTS | st.text(max_size=200))
@settings(max_examples=400, deadline=None)
def test_dockerfile(text: str) -> None:
    with contextlib.suppress(Invalid):
        source = text.encode(errors="replace")
        made = plan.make(parser.parse(source), given={"A": "b"}, labels={}, platform=Platform())
        for stage in made.stages:
            state = config.StageState.begin({}, StageScope(made.scope))
            for instruction in stage.instructions:
                if not isinstance(instruction, Copy | Run):
                    config.apply(state, instruction)


@given(TEXTS | st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_words(text: str) -> None:
    for expand in (expand_word, expand_words, expand_text):
        with contextlib.suppress(Invalid):
            expand(text, {"A": "b b"})
    with contextlib.suppress(Invalid):
        parse_mount(text, lambda word: word)


@given(st.text(alphabet="ab*?[]!/\\.#\n ^-", max_size=40), st.text(alphabet="ab./", max_size=20))
@settings(max_examples=400, deadline=None)
def test_patterns(patterns: str, path: str) -> None:
    with contextlib.suppress(Invalid):
        assert (path in Ignore(read_patterns(patterns.encode()))) in (True, False)
