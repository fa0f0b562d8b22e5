"""All checks in the order in which one would mend them, printed for people or for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from agent.check.finding import Check, Host
from agent.check.kernel import kernel
from agent.check.link import link, status
from agent.check.programs import installed
from agent.check.state import storage
from agent.link.settings import LinkSettings, SettingsError, settings_for


def report(
    state: Path, engine: str | None, *, as_json: bool, host_only: bool = False, wait_connected: float | None = None
) -> int:
    """Print every check; 0 when all that is needed is there.

    Args:
        state: the agent's folder.
        engine: an existing engine to sit on; None: our own.
        as_json: for programs.
        host_only: the host alone, before anything of ours runs.
        wait_connected: wait so many seconds for the link and check nothing.
    """
    try:
        settings = settings_for(state, engine)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    if wait_connected is not None:
        return _wait(settings, wait_connected)
    checks = list(host_checks(Host(), state, own_engine=engine is None))
    if not host_only:
        checks += link(settings)
    print(json.dumps([asdict(check) for check in checks], indent=2) if as_json else text(checks))
    return 0 if all(check.ok for check in checks if check.needed) else 1


def host_checks(host: Host, state: Path, *, own_engine: bool) -> Iterator[Check]:
    """What the host is and has."""
    yield Check("root", host.uid == 0, f"uid {host.uid}", "run the agent as root: containers need it")
    if own_engine:
        yield from kernel(host)
        yield from installed(host)
        yield from storage(host, state)


def text(checks: list[Check]) -> str:
    """A line for each, and one with the cure under what is not right."""
    lines = []
    for check in checks:
        lines.append(f"{'ok  ' if check.ok else 'MISS' if check.needed else 'warn'} {check.name}: {check.detail}")
        if not check.ok and check.cure:
            lines.append(f"     {check.cure}")
    return "\n".join(lines)


def _wait(settings: LinkSettings, seconds: float) -> int:
    end = time.monotonic() + seconds
    while True:
        connected, detail = status(settings)
        if connected:
            return 0
        if time.monotonic() > end:
            print(f"not connected: {detail}", file=sys.stderr)
            return 1
        time.sleep(0.2)
