"""The shipped settings: safe by Django's own check, and refused where they would not be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from controlplane.settings.installation import read, secret_keys
from scripts.launch.__main__ import parse

ROOT = Path(__file__).resolve().parents[2]


def manage(tmp_path: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LONGSHORE_DATA": str(tmp_path), "DATABASE_URL": "", **environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_check_deploy(tmp_path: Path) -> None:
    done = manage(
        tmp_path, "check", "--deploy", "--fail-level", "WARNING", LONGSHORE_URL="https://longshore.example:8443"
    )
    assert done.returncode == 0, done.stderr


def test_migrations_are_whole(tmp_path: Path) -> None:
    done = manage(tmp_path, "makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout


def test_the_schema_is_checked_in(tmp_path: Path) -> None:
    fresh = tmp_path / "schema.yaml"
    done = manage(tmp_path, "spectacular", "--fail-on-warn", "--file", str(fresh))
    assert done.returncode == 0, done.stderr
    stored = ROOT / "controlplane/schema.yaml"
    assert fresh.read_text() == stored.read_text(), f"run: manage.py spectacular --file {stored.relative_to(ROOT)}"
    assert fresh.read_text().startswith("openapi: 3.1.1")


@pytest.mark.parametrize(
    "environ",
    [
        {"LONGSHORE_URL": "http://longshore.example"},
        {"LONGSHORE_URL": "ftp://127.0.0.1"},
        {"LONGSHORE_URL": "https://user:pass@longshore.example"},
        {"LONGSHORE_URL": "https://longshore.example/path"},
        {"LONGSHORE_URL": "https://longshore.example", "LONGSHORE_DEBUG": "1"},
    ],
)
def test_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ImproperlyConfigured):
        read({"LONGSHORE_DATA": str(tmp_path), **environ})


def test_the_secret_key(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "django.key"
    keys = secret_keys(path)
    assert (path.stat().st_mode & 0o777, len(keys[0]) >= 50, secret_keys(path)) == (0o600, True, keys)
    path.write_text("n" * 60 + "\n" + keys[0] + "\n")
    assert secret_keys(path) == ("n" * 60, keys[0])
    for bad in ("short\n", "django-insecure-" + "x" * 60 + "\n", ""):
        path.write_text(bad)
        with pytest.raises(ImproperlyConfigured):
            secret_keys(path)
    path.chmod(0o644)
    with pytest.raises(ImproperlyConfigured):
        secret_keys(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("up --port 99999", "scripts/up: error: argument --port: 99999 is no TCP port"),
        ("up --port web", "scripts/up: error: argument --port: web is no TCP port"),
        ("up --hosts many", "scripts/up: error: argument --hosts: many is no number of hosts"),
        ("up --host 3 --x", "scripts/up: error: unrecognized arguments: --x"),
        ("down --all", "scripts/down: error: unrecognized arguments: --all"),
    ],
)
def test_a_mistyped_line_is_answered_with_the_usage_of_its_script(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line.split())
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.startswith(f"usage: scripts/{line.split(maxsplit=1)[0]} ")
