"""Signals by the words that Docker takes: ``9``, ``KILL``, ``SIGKILL``, ``SIGRTMIN+3``."""

import signal

from agent.engine.errors import Invalid

_NAMES = {name.removeprefix("SIG"): int(value) for name, value in signal.Signals.__members__.items()}
_FIRST, _LAST = signal.SIGRTMIN, signal.SIGRTMAX


def parse(text: str) -> int:
    """The signal's number.

    Raises:
        Invalid: no such signal; 0 is none.
    """
    if text.isdigit():
        number = int(text)
        if 0 < number <= _LAST:
            return number
        raise Invalid(f"Invalid signal: {text}")
    name = text.upper().removeprefix("SIG")
    if name in _NAMES:
        return _NAMES[name]
    for prefix, base, sign in (("RTMIN+", _FIRST, 1), ("RTMAX-", _LAST, -1)):
        offset = name.removeprefix(prefix)
        if name.startswith(prefix) and offset.isdigit() and _FIRST <= base + sign * int(offset) <= _LAST:
            return base + sign * int(offset)
    raise Invalid(f"Invalid signal: {text}")
