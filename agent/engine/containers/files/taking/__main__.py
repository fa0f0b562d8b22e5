"""The program that looks into containers' file systems, and puts archives there: one small process that is ready to
fork, and a child for each job.

Standard input is a socket of the engine's. Each message on it is a job: its options in JSON, with two descriptors: a
socket for what is said about the job, and where bytes are read from or written to. The child ends with its job; all
of them end with the engine.
"""

import json
import os
import signal
import socket
import sys

from agent.engine.containers.files.taking.jobs import work
from agent.engine.kernel import syscalls

LONGEST = 1 << 20


def main() -> int:
    """Fork for one job after the other, until the engine goes."""
    syscalls.set_parent_death_signal(signal.SIGKILL)
    # Nobody asks how a child ended: it says so itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=0) as engine:
        while True:
            message, descriptors, _, _ = socket.recv_fds(engine, LONGEST, 2)
            if not message:
                return 0
            if len(descriptors) == 2 and os.fork() == 0:
                syscalls.set_parent_death_signal(signal.SIGKILL)
                engine.close()
                os._exit(work(json.loads(message), *descriptors))
            for descriptor in descriptors:
                os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
