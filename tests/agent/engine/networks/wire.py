"""Programs that listen and ask inside namespaces, for the tests of networks."""

import asyncio
import subprocess
from pathlib import Path

from tests.agent.engine.networks.bench import enter

SERVER = (
    "import socket,sys; s=socket.create_server(('0.0.0.0',int(sys.argv[1])))\n"
    "while 1:\n c,a=s.accept(); c.sendall(f'page {a[0]}\\n'.encode()); c.close()"
)
SERVER6 = SERVER.replace("('0.0.0.0',int(sys.argv[1]))", "('::',int(sys.argv[1])),family=socket.AF_INET6")
ECHO = (
    "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('0.0.0.0',int(sys.argv[1])))\n"
    "while 1:\n d,a=s.recvfrom(99); s.sendto(b'echo '+d,a)"
)
ECHO6 = ECHO.replace("AF_INET", "AF_INET6").replace("0.0.0.0", "::")
ASK = (
    "import socket,sys\n"
    "try:\n s=socket.create_connection((sys.argv[1],int(sys.argv[2])),3); print(s.makefile().read())\n"
    "except OSError as e: print('refused', e)"
)
ASK_UDP = (
    "import socket,sys; s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET,socket.SOCK_DGRAM)\n"
    "s.settimeout(3); s.connect((sys.argv[1],int(sys.argv[2])))\n"
    "try: s.send(b'hello'); print(s.recv(99).decode())\nexcept OSError as e: print('refused', e)"
)

SCTP_SERVER = (
    "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_STREAM,132); s.bind(('0.0.0.0',int(sys.argv[1])))\n"
    "s.listen(); print(flush=True)\nwhile 1:\n c,a=s.accept(); c.sendall(b'page'); c.close()"
)
SCTP_ASK = (
    "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_STREAM,132); s.settimeout(9)\n"
    "s.connect((sys.argv[1],int(sys.argv[2]))); print(s.recv(99).decode())"
)


class Servers:
    """Programs inside namespaces, ended with the test."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []

    async def serve(self, where: Path | None, port: int, program: str = SERVER) -> None:
        argv = ["nsenter", f"--net={where}", "python3", "-c", program, str(port)]
        self.started.append(subprocess.Popen(argv))  # noqa: ASYNC220
        kind = {SERVER: "-Hltn", SERVER6: "-Hltn", SCTP_SERVER: "-HSln"}.get(program, "-Hlun")
        for _ in range(1000):
            if f":{port} " in enter(where, f"ss {kind}"):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the server did not start")


async def ask(where: Path | None, address: str, port: int, program: str = ASK) -> str:
    """What a client in that namespace gets."""
    assert where is not None
    task = await asyncio.create_subprocess_exec(
        "nsenter", f"--net={where}", "python3", "-c", program, address, str(port), stdout=-1
    )
    return (await task.communicate())[0].decode()


def bound(*ports: str) -> dict[str, list[dict[str, str]]]:
    """``8080:80`` or ``127.0.0.1:8080:80/udp`` as PortBindings."""
    found: dict[str, list[dict[str, str]]] = {}
    for text in ports:
        rest, _, inner = text.rpartition(":")
        host, _, number = rest.rpartition(":")
        found.setdefault(inner if "/" in inner else f"{inner}/tcp", []).append({"HostIp": host, "HostPort": number})
    return found
