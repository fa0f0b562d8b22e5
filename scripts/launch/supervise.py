"""Start, ask and stop supervisord over its unix socket."""

import os
import subprocess
import sys
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Error, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from scripts.launch.plan import ROOT, Plan
from scripts.launch.refusal import Refusal


def _server(plan: Plan) -> Any:
    transport = SupervisorTransport(None, None, f"unix://{plan.run}/supervisor.sock")
    return ServerProxy("http://127.0.0.1", transport=transport).supervisor


def running(plan: Plan) -> dict[str, str]:
    """Answer supervisor's processes and their states (``RUNNING``, ``BACKOFF`` …); empty where it does not run."""
    try:
        return {p["name"]: p["statename"] for p in _server(plan).getAllProcessInfo()}
    except (OSError, Error, HTTPException):
        return {}


def retire(plan: Plan) -> list[str]:
    """Stop what runs otherwise than its configuration, which is written already, has it; the names of those."""
    server = _server(plan)
    (_, changed, removed) = server.reloadConfig()[0]
    for name in (*removed, *changed):
        server.stopProcessGroup(name)
        server.removeProcessGroup(name)
    return sorted(changed)


def start(plan: Plan, configuration: Path) -> None:
    """Start supervisord, or let a running one take up what is new or changed in its configuration.

    Raises:
        Refusal: supervisord did not start; its own words are in the message.
    """
    if running(plan):
        retire(plan)
        server = _server(plan)
        for name in server.reloadConfig()[0][0]:
            server.addProcessGroup(name)
        for name, state in running(plan).items():
            if state in ("STOPPED", "FATAL", "EXITED"):
                server.startProcess(name, False)
        return
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", configuration],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Refusal(f"supervisord did not start: {(done.stderr or done.stdout).strip()}")


def stop(plan: Plan, *, timeout: float = 30) -> None:
    """Stop every process and supervisord itself; returns when it is gone.

    Raises:
        Refusal: it still runs after ``timeout`` seconds.
    """
    pid_file = plan.run / "supervisord.pid"
    if not running(plan):
        return
    pid = int(pid_file.read_text())
    _server(plan).shutdown()
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise Refusal(f"supervisord (pid {pid}) still runs after {timeout:.0f} s; see {plan.log}/supervisord.log")
