"""``python -m scripts.launch up | down``: what scripts/up and scripts/down do once Python is there."""

import argparse
import sys
from pathlib import Path

from scripts.launch import down, up
from scripts.launch.plan import DEFAULT_DATA
from scripts.launch.refusal import Refusal


def main() -> int:
    """Parse the command line and run it; a refusal is printed and ends with status 1."""
    parser = argparse.ArgumentParser(prog="scripts/")
    commands = parser.add_subparsers(dest="command", required=True)
    up_parser = commands.add_parser("up", prog="scripts/up", help="run Longshore on this machine")
    up_parser.add_argument("--detach", action="store_true", help="return when healthy instead of staying")
    up_parser.add_argument(
        "--hosts", type=int, metavar="N", help="show N demo hosts; the machine's network is left alone"
    )
    up_parser.add_argument("--port", type=int, metavar="P", help="TCP port of the dashboard")
    down_parser = commands.add_parser("down", prog="scripts/down", help="stop what scripts/up started")
    down_parser.add_argument("--purge", action="store_true", help="also remove containers, networks, volumes and data")
    for each in (up_parser, down_parser):
        each.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help=f"default: {DEFAULT_DATA}")
    arguments = parser.parse_args()
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
