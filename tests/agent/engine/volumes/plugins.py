"""The fake plugin as a process that a test starts, spoils and kills."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAM = Path(__file__).with_name("fakeplugin.py")


class FakePlugin:
    """One plugin, by name, with its socket in a directory of plugins."""

    def __init__(self, directory: Path, home: Path, name: str = "fake") -> None:
        self.name, self.socket, self.home = name, directory / f"{name}.sock", home
        self.data = home / "data"
        directory.mkdir(parents=True, exist_ok=True)
        home.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen([sys.executable, str(PROGRAM), str(self.socket), str(self.home)])
        ends = time.monotonic() + 20
        while not self._listens():
            assert time.monotonic() < ends
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def kill(self) -> None:
        """SIGKILL; the socket's file stays, as it would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def mood(self, word: str) -> None:
        """What it does from now on."""
        (self.home / "mood").write_text(word)

    def calls(self, *methods: str) -> list[str]:
        """What it was asked so far, of these methods."""
        if not (self.home / "calls").exists():
            return []
        lines = (self.home / "calls").read_text().splitlines()
        return [line for line in lines if not methods or line.split()[0] in methods]


@contextlib.contextmanager
def fake_plugin(directory: Path, home: Path, name: str = "fake") -> Iterator[FakePlugin]:
    """A plugin that runs."""
    plugin = FakePlugin(directory, home, name)
    plugin.start()
    try:
        yield plugin
    finally:
        plugin.kill()
