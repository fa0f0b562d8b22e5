"""supervisor event listener: starts a process anew that supervisor has given up on.

Protocol: supervisord.org, "Event Listeners and Event Notifications". Standard output belongs to the protocol.
"""

import sys
from xmlrpc.client import Fault, ServerProxy

from supervisor.options import make_namespec
from supervisor.xmlrpc import SupervisorTransport


def listen(socket_path: str) -> None:
    """Answer events until supervisor closes the pipe.

    Args:
        socket_path: supervisor's own unix socket.
    """
    # The host part is required by the parser and ignored by the transport.
    server = ServerProxy("http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{socket_path}"))
    while True:
        _write("READY\n")
        header = sys.stdin.readline()
        if not header:
            return
        fields = dict(pair.split(":") for pair in header.split())
        payload = dict(pair.split(":") for pair in sys.stdin.read(int(fields["len"])).split("\n")[0].split())
        try:
            server.supervisor.startProcess(make_namespec(payload["groupname"], payload["processname"]), False)
        except Fault as fault:
            sys.stderr.write(f"cannot revive {payload['processname']}: {fault.faultString}\n")
        _write("RESULT 2\nOK")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    listen(sys.argv[1])
