"""Times as Docker writes them. Records hold nanoseconds since the epoch; 0 is "never"."""

import functools
import time

NEVER = "0001-01-01T00:00:00Z"


@functools.lru_cache(1024)
def rfc3339nano(nanoseconds: int) -> str:
    """``2026-01-02T03:04:05.678901234Z`` without closing zeros, as Go writes it; 0 is year one."""
    if not nanoseconds:
        return NEVER
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"
