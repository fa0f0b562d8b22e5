"""`python -m agent <command>`: argv, configuration, run."""

from __future__ import annotations

import logging
import os
import socket
import sys

from agent import config


def main(argv: list[str]) -> int:
    """Run one command; the exit code."""
    if argv[:1] == ["engine"]:
        # Its options are the engine's own business.
        from agent.engine.daemon import main as engine

        return int(engine(argv[1:]) or 0)
    args = config.parser().parse_args(argv)
    logging.basicConfig(level=os.environ.get("LONGSHORE_LOG_LEVEL", "INFO"), format="%(asctime)s %(name)s %(message)s")
    match args.command:
        case "run":
            from agent.supervisor import Supervisor, commands

            return Supervisor(commands(args.state, args.engine, args.netns)).run()
        case "link":
            from agent.link import worker
            from agent.link.settings import SettingsError, settings_for

            try:
                worker.run(settings_for(args.state, args.engine))
            except SettingsError as error:
                print(error, file=sys.stderr)
                return 78
            return 0
        case "enrol":
            return _enrol(args.state, args.name or socket.gethostname())
        case _:
            from agent.check.report import report

            return report(
                args.state,
                args.engine,
                as_json=args.json,
                host_only=args.host_only,
                wait_connected=args.wait_connected,
            )


def _enrol(state: object, name: str) -> int:
    from pathlib import Path

    from agent.link.enrol import EnrolmentFailed, enrol, parse
    from agent.link.keys import load_or_make
    from agent.link.settings import SettingsError, settings_for

    try:
        join = parse(sys.stdin.readline())
        settings = settings_for(Path(str(state)))
        identity = enrol(settings, load_or_make(settings), join, name)
    except (EnrolmentFailed, SettingsError) as error:
        print(f"not enrolled: {error}", file=sys.stderr)
        return 1
    print(f"enrolled as {identity.host_id} at {identity.url}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
