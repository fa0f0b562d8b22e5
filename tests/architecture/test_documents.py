"""What the documents say is true: files that they name exist, settings that exist are named."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A name in backticks that begins with one of our folders is a file or a folder of the tree.
PLACE = re.compile(r"`((?:agent|controlplane|frontend|scripts|tests|requirements)/[\w./-]*)`")


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return listed.splitlines()


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "README.md", "SECURITY.md"])
def test_places_that_a_document_names_exist(document: str) -> None:
    named = set(PLACE.findall((ROOT / document).read_text()))
    assert [place for place in sorted(named) if not (ROOT / place).exists()] == []


def test_the_way_of_a_click_names_at_least_one_file_of_each_part() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    way = text[text.index("## The way of a click") : text.index("## The link")]
    named = set(PLACE.findall(way))
    for part in ("frontend/", "controlplane/", "agent/link/", "agent/engine/"):
        assert any(place.startswith(part) for place in named), part


def test_environment_variables_are_documented() -> None:
    documents = "".join((ROOT / name).read_text() for name in ("README.md", "ARCHITECTURE.md"))
    used: set[str] = set()
    for name in tracked():
        if name.endswith(".py") and name.startswith(("agent/", "controlplane/", "scripts/")):
            used |= set(re.findall(r"[\"'](LONGSHORE_[A-Z_]+)[\"']", (ROOT / name).read_text()))
    assert sorted(variable for variable in used if variable not in documents) == []


def test_the_readme_s_pictures_exist() -> None:
    text = (ROOT / "README.md").read_text()
    assert [p for p in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text) if not (ROOT / p).is_file()] == []
