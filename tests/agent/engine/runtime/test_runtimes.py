"""Which runtimes there are, and which of them are old."""

import shutil
from pathlib import Path

import pytest

from agent.engine.commandline import parse
from agent.engine.errors import Invalid
from agent.engine.runtime import crun
from tests.agent.engine.conftest import running_engine


@pytest.mark.parametrize(
    ("name", "version", "old"),
    [
        ("crun", "1.8.1", True), ("crun", "1.14.1", False), ("crun", "1.20", False), ("runc", "1.1.5+ds1", True),
        ("runc", "1.2.8", False), ("runc", "1.2.7", True), ("runc", "1.4.0-rc.3", False), ("youki", "0.1.0", False),
    ],
)  # fmt: skip
def test_v2_which_are_old(name: str, version: str, old: bool) -> None:
    assert bool(crun.warnings(name, version)) == old


def test_a_runtime_that_was_added(tmp_path: Path) -> None:
    program = tmp_path / "mine"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\nexec {shutil.which("crun")} "$@"\n')
    program.chmod(0o755)
    with running_engine("--add-runtime", f"mine={program}") as engine:
        docker = engine.docker
        assert docker.ok("run --rm --runtime mine busy echo hi") == "hi"
        assert docker.api("GET", "/info")[1]["Runtimes"]["mine"] == {"path": str(program)}
    assert " create " in (tmp_path / "said").read_text()


@pytest.mark.parametrize("text", ["mine", "mine=relative", "=/bin/true", "runc=/bin/true"])
def test_a_runtime_that_cannot_be_added(text: str) -> None:
    with pytest.raises(Invalid, match=r"--add-runtime wants NAME=PATH|is reserved"):
        parse(["--root", "/x", "--socket", "/y", "--add-runtime", text])
