"""The agent's command line: one parser, one frozen value a command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

STATE: Final = "/var/lib/longshore"


def parser() -> argparse.ArgumentParser:
    """Every command of `python -m agent`."""
    root = argparse.ArgumentParser(prog="python -m agent", description="Longshore's agent: runs containers on a host.")
    commands = root.add_subparsers(dest="command", required=True)

    engine = commands.add_parser("engine", help="the container engine alone", add_help=False)
    engine.add_argument("rest", nargs=argparse.REMAINDER)

    run = commands.add_parser("run", help="engine and link, started again when they die")
    _state(run)
    run.add_argument("--engine", metavar="URL", help="use the engine on unix:///path instead of an own one")
    run.add_argument("--netns", metavar="PATH", help="network namespace for the engine's links, rules and ports")

    link = commands.add_parser("link", help="the connection to the control plane alone")
    _state(link)
    link.add_argument("--engine", metavar="URL", help="unix:///path of the engine (default STATE/docker.sock)")

    enrol = commands.add_parser("enrol", help="join a control plane; reads the join string from stdin")
    _state(enrol)
    enrol.add_argument("source", choices=["-"], help="- : stdin; a join string is a secret and no argument")
    enrol.add_argument("--name", help="what to call this host (default: its host name)")

    check = commands.add_parser("check", help="what this host lacks, and how to get it")
    _state(check)
    check.add_argument("--engine", metavar="URL", help="unix:///path of an existing engine")
    check.add_argument("--wait-connected", type=float, metavar="SECONDS", help="wait for the link and say nothing else")
    check.add_argument("--host-only", action="store_true", help="the host alone: before the agent runs or is enrolled")
    check.add_argument("--json", action="store_true", help="for programs")
    return root


def _state(command: argparse.ArgumentParser) -> None:
    command.add_argument("--state", type=Path, default=Path(STATE), metavar="DIR", help=f"default {STATE}")
