"""``python -m scripts.launch up | down``: what scripts/up and scripts/down do once Python is there."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.launch import down, up
from scripts.launch.plan import DEFAULT_DATA
from scripts.launch.refusal import Refusal


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; whoever mistypes is shown the usage of the script that was run."""
    parser = argparse.ArgumentParser(prog="scripts/")
    commands = parser.add_subparsers(dest="command", required=True)
    up_parser = commands.add_parser("up", prog="scripts/up", help="run Longshore on this machine")
    up_parser.add_argument("--detach", action="store_true", help="return when healthy instead of staying")
    up_parser.add_argument(
        "--hosts", type=_count, metavar="N", help="show N demo hosts; the machine's network is left alone"
    )
    up_parser.add_argument("--port", type=_port, metavar="P", help="TCP port of the dashboard")
    down_parser = commands.add_parser("down", prog="scripts/down", help="stop what scripts/up started")
    down_parser.add_argument("--purge", action="store_true", help="also remove containers, networks, volumes and data")
    for each in (up_parser, down_parser):
        each.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help=f"default: {DEFAULT_DATA}")
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        (up_parser if arguments.command == "up" else down_parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    return arguments


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is no TCP port: it is a number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number of hosts")
    return int(text)


def main() -> int:
    """Run what the command line asks for; a refusal is printed and ends with status 1."""
    arguments = parse()
    try:
        if arguments.command == "up":
            up.up(arguments.data.resolve(), hosts=arguments.hosts, port=arguments.port, detach=arguments.detach)
        else:
            down.down(arguments.data.resolve(), purge=arguments.purge)
    except Refusal as refusal:
        sys.stderr.write(f"longshore: {refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
