"""Files stay readable: near 150 lines, none over 400 without a reason that stands here."""

import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: file -> why it is allowed to be longer
REASONS: dict[str, str] = {}
GENERATED = ("/migrations/", ".d.ts", "package-lock.json", "/generated/", "frontend/src/lib/schema.ts")


def sources() -> dict[str, int]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    names = [
        n for n in listed if n.endswith((".py", ".ts", ".tsx", ".css", ".sh")) and not any(g in n for g in GENERATED)
    ]
    return {n: len((ROOT / n).read_text().splitlines()) for n in names if (ROOT / n).is_file()}


def test_no_file_is_over_400_lines() -> None:
    assert {n: lines for n, lines in sources().items() if lines > 400 and n not in REASONS} == {}


def test_reasons_are_still_needed() -> None:
    lengths = sources()
    assert [n for n in REASONS if lengths.get(n, 0) <= 400] == []


def test_the_median_file_is_short() -> None:
    assert statistics.median(sources().values()) <= 150
