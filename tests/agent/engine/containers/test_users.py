"""Who a program runs as, by files that the image made: maybe to harm us."""

import os
from pathlib import Path

import pytest

from agent.engine.containers.oci.users import User, resolve
from agent.engine.errors import Invalid


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nweb:x:33:44::/var/www:/bin/false\nbroken\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nwww:x:44:\nextra:x:1500:web,root\n")
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", User(0, 0, (0, 1500), "/root")),
        ("web", User(33, 44, (44, 1500), "/var/www")),
        ("33", User(33, 44, (44,), "/var/www")),
        ("1234:5678", User(1234, 5678, (5678,), "/")),
        ("web:extra", User(33, 1500, (1500,), "/var/www")),
    ],
)
def test_it_works(root: Path, spec: str, expected: User) -> None:
    assert resolve(root, spec) == expected


def test_added_groups(root: Path) -> None:
    assert resolve(root, "1", ["extra", "7"]).groups == (0, 1500, 7)


@pytest.mark.parametrize("spec", ["nosuch", "root:nosuch", "99999999999"])
def test_unknown(root: Path, spec: str) -> None:
    with pytest.raises(Invalid):
        resolve(root, spec)


def test_U11_a_link_stays_inside(root: Path, tmp_path: Path) -> None:
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to("/etc/shadow-outside")
    outside = tmp_path.parent / "shadow-outside"
    outside.write_text("evil:x:5:5::/:/x\n")
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to(f"../../{outside.name}")
    with pytest.raises(Invalid):
        resolve(root, "evil")


def test_U11_a_fifo_does_not_hold_us_up(root: Path) -> None:
    (root / "etc/passwd").unlink()
    os.mkfifo(root / "etc/passwd")
    assert resolve(root, "7") == User(7, 0, (0,), "/")


def test_no_files_at_all(tmp_path: Path) -> None:
    assert resolve(tmp_path, "") == User(0, 0, (0,), "/")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("0:-1", "uids and gids must be in range 0-2147483647"),
        ("0:nosuch", "unable to find group nosuch: no matching entries in group file"),
    ],
)
def test_words_of_refusals(root: Path, spec: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        resolve(root, spec)
