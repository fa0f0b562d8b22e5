"""The docker CLI on a terminal of its own."""

import os
import pty
import select
import shlex
import subprocess
import time

from tests.agent.engine.cli.docker import Docker


def type_into(docker: Docker, line: str, *steps: tuple[str, str], timeout: float = 15) -> tuple[int, str]:
    """Run a command on a terminal; each step waits for a text, then types another. Code and screen."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [docker.program, *shlex.split(line)],
        env=docker.env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    screen, todo, seen, ends = b"", list(steps), 0, time.monotonic() + timeout
    while time.monotonic() < ends:
        if todo and todo[0][0].encode() in screen[seen:]:
            seen = len(screen)
            os.write(master, todo.pop(0)[1].encode())
        if not select.select([master], [], [], 0.2)[0]:
            if child.poll() is not None:
                break
            continue
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        screen += data
    try:
        code = child.wait(3)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(master)
    return code, screen.decode(errors="replace")
