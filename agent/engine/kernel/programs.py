"""Programs of the host that the engine starts: which version is there."""

import re
import subprocess


def version(name: str) -> str:
    """The version that a program tells of itself; ``N/A`` where it is missing."""
    try:
        out = subprocess.run([name, "--version"], capture_output=True, text=True, check=False, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "N/A"
    found = re.search(r"\d+\.\d+[\w.+-]*", out)
    return found[0] if found else "N/A"
