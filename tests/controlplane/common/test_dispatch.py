"""Tasks are sent by name: every name that is sent somewhere is somebody's task."""

import ast
from pathlib import Path

import pytest

from agent.link import worker
from controlplane import celery
from controlplane.common import dispatch

CONTROL_PLANE = Path(dispatch.__file__).parents[1]
SENDERS = {"send", "send_on_commit"}
OUTSIDE = dispatch.RUN_ORDER


@pytest.fixture(scope="module")
def registered() -> set[str]:
    """What the worker of the control plane takes."""
    celery.app.loader.import_default_modules()
    return set(celery.app.tasks)


def sent(tree: ast.Module) -> set[str]:
    """The names that a module sends, by a literal or by a constant of dispatch; one that is neither fails here."""
    senders = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == dispatch.__name__
        for alias in node.names
    } & SENDERS
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in senders:
            name = node.args[0]
            names.add(str(getattr(dispatch, name.id)) if isinstance(name, ast.Name) else ast.literal_eval(name))
    return names


def test_every_name_that_is_sent_is_registered(registered: set[str]) -> None:
    modules = [path for path in CONTROL_PLANE.rglob("*.py") if path != Path(dispatch.__file__)]
    names = set().union(*(sent(ast.parse(path.read_text())) for path in modules))
    assert "registry.collect" in names
    assert names - registered == {OUTSIDE}


def test_every_name_of_the_beat_is_registered(registered: set[str]) -> None:
    assert {entry["task"] for entry in celery.app.conf.beat_schedule.values()} <= registered


def test_the_ring_has_the_name_that_an_agent_listens_for() -> None:
    assert worker.TASK == OUTSIDE
