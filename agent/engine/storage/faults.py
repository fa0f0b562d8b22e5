"""The kernel's refusals in the engine's words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from agent.engine.errors import EngineError, NoSpace, System

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def translated(error: OSError, doing: str) -> EngineError:
    """``NoSpace`` for a full disk or quota, else ``System``; both say what was being done."""
    if error.errno in FULL:
        return NoSpace(f"{doing}: no space left on device; free space on the data root's disk")
    return System(f"{doing}: {error}")


@contextmanager
def kernel_errors(doing: str) -> Iterator[None]:
    """Translate an OSError of the block.

    Raises:
        NoSpace, System: see ``translated``.
    """
    try:
        yield
    except OSError as error:
        raise translated(error, doing) from error
