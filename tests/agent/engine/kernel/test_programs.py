"""A program in sealed memory runs, cannot be written, and follows its file."""

import subprocess

import pytest

from agent.engine.kernel.programs import Sealed


def said(path: str) -> str:
    return subprocess.run([path], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def program(tmp_path):
    made = tmp_path / "program"
    made.write_bytes(b"#!/bin/sh\necho one\n")
    made.chmod(0o755)
    return made


def test_it_works(program, tmp_path):
    sealed = Sealed(program, tmp_path / "run" / "copy")
    assert sealed.path == str(tmp_path / "run" / "copy")
    assert said(sealed.path) == "one\n"
    with pytest.raises(PermissionError):
        (tmp_path / "run" / "copy").write_bytes(b"x")


def test_a_new_version(program, tmp_path):
    sealed = Sealed(program, tmp_path / "copy")
    assert said(sealed.path) == "one\n"
    newer = program.with_name("newer")
    newer.write_bytes(b"#!/bin/sh\necho two\n")
    newer.chmod(0o755)
    newer.rename(program)
    assert said(sealed.path) == "two\n"


def test_what_cannot_be_copied_runs_as_it_is(program, tmp_path):
    (tmp_path / "copy").mkdir()
    assert Sealed(program, tmp_path / "copy").path == str(program)
    assert Sealed(tmp_path / "absent", tmp_path / "x").path == str(tmp_path / "absent")
