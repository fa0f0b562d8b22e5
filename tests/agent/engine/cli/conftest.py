"""The ``docker`` fixture: the newest CLI, and Debian's too for tests marked ``both_clis``."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.engine.cli.docker import NEW, OLD, Docker

if TYPE_CHECKING:
    from tests.agent.engine.conftest import RunningEngine

PROGRAMS = [program for program in (NEW, OLD) if Path(program).exists()]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_clis: runs with every docker CLI that is installed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "docker" in metafunc.fixturenames:
        both = any(mark.name == "both_clis" for mark in metafunc.definition.iter_markers())
        programs = PROGRAMS if both else PROGRAMS[:1]
        metafunc.parametrize("docker", programs, ids=["new", "old"][: len(programs)], indirect=True)


@pytest.fixture
def docker(request: pytest.FixtureRequest, engine: "RunningEngine", tmp_path: Path) -> Docker:
    """A CLI on the session's engine; what the test makes is removed after it."""
    return Docker(request.param, engine.socket, tmp_path / "config")
