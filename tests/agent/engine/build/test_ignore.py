"""B3: patterns of .dockerignore."""

import pytest

from agent.engine.build.ignore import Ignore, read_patterns
from agent.engine.errors import Invalid


@pytest.mark.parametrize(
    ("text", "path", "left_out"),
    [
        ("*", "a", True),
        ("*", "a/b", True),
        ("*\n!x", "x", False),
        ("*\n!x", "y", True),
        ("*.log\n!keep.log", "keep.log", False),
        ("*.log", "sub/b.log", False),
        ("**/*.tmp", "d.tmp", True),
        ("**/*.tmp", "sub/deep/c.tmp", True),
        ("/rooted", "rooted", True),
        ("/rooted", "sub/rooted", False),
        ("dir/\n!dir/saved", "dir/saved", False),
        ("dir/\n!dir/saved", "dir/lost", True),
        ("# not a pattern", "# not a pattern", False),
        ("\ufeff.env", ".env", True),
        ("  .env  ", ".env", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c].txt", "b.txt", True),
        ("[^a-c].txt", "b.txt", False),
        ("a/../b", "b", True),
        ("!x\nx", "x", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
    ],
)
def test_b3_pattern(text: str, path: str, left_out: bool) -> None:
    assert (path in Ignore(read_patterns(text.encode()))) is left_out


def test_exclamation_mark_alone() -> None:
    with pytest.raises(Invalid, match="illegal exclusion pattern"):
        read_patterns(b"a\n!\n")
