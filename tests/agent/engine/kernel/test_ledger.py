"""What was sent is known after a SIGKILL at any moment, message for message."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.engine.kernel.ledger import BATCH, Ledger

SENDER = """
import socket, sys
from pathlib import Path
from agent.engine.kernel.ledger import BATCH, Ledger
ledger = Ledger(Path(sys.argv[1]))
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if sys.argv[3] == "dgram" else socket.SOCK_STREAM)
link.connect(sys.argv[2])
print("go", flush=True)
while True:
    begin = ledger.at[1]
    numbers = range(begin + 1, begin + 1 + BATCH)
    try:
        ledger.send(link.fileno(), [b"%d\\n" % n for n in numbers], list(numbers))
    except BlockingIOError:
        pass
"""


@pytest.mark.parametrize("kind", ["dgram", "stream"])
def test_killed_at_any_moment(tmp_path: Path, kind: str) -> None:
    here = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if kind == "dgram" else socket.SOCK_STREAM)
    here.bind(str(tmp_path / "s"))
    here.settimeout(10)
    if kind == "stream":
        here.listen()
    came: list[int] = []
    for round_ in range(5):
        sender = subprocess.Popen(
            [sys.executable, "-c", SENDER, tmp_path / "ledger", tmp_path / "s", kind], stdout=subprocess.PIPE
        )
        source = here.accept()[0] if kind == "stream" else here
        assert sender.stdout is not None
        assert sender.stdout.readline() == b"go\n"
        ends, text = time.monotonic() + 0.02 + round_ * 0.007, b""
        while True:
            if time.monotonic() > ends and sender.returncode is None:
                sender.send_signal(signal.SIGKILL)
                sender.wait()
                source.setblocking(False)
            try:
                data = source.recv(65536)
            except BlockingIOError:
                break
            if not data:
                break
            text += data
        sender.stdout.close()
        here.settimeout(10)
        # the last message of a stream may be cut; its sender's successor sends it whole
        came += [int(line) for line in text[: text.rfind(b"\n") + 1].split()]
    assert came == list(range(1, len(came) + 1))
    assert len(came) > 1000
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.at == (0, len(came))
    ledger.close()


def test_a_full_receiver_and_what_is_left(tmp_path: Path) -> None:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ledger = Ledger(tmp_path / "ledger")
    ledger.move(7, 100)
    big = [b"x" * 100_000] * 8
    whole, part = ledger.send(mine.fileno(), big, [200, 300, 400, 500, 600, 700, 800, 900])
    assert 0 < whole < 8
    assert ledger.at == (7, 100 + 100 * whole)
    received = 0
    theirs.setblocking(False)
    while True:
        try:
            received += len(theirs.recv(1 << 20))
        except BlockingIOError:
            break
    assert received == whole * 100_000 + part
    theirs.close()
    with pytest.raises(OSError, match="pipe") as caught:
        ledger.send(mine.fileno(), [b"x"], [1000])
    assert caught.value.errno == errno.EPIPE
    ledger.move(8, 0)
    ledger.close()
    again = Ledger(tmp_path / "ledger")
    assert again.at == (8, 0)
    again.close()
    assert BATCH == 64
    assert os.path.getsize(tmp_path / "ledger") == 8192
    mine.close()
