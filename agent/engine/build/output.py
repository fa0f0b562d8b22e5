"""What a build tells its client, in the lines of dockerd's classic builder."""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Report = Callable[[Json], None]
RED, PLAIN = "\x1b[91m", "\x1b[0m"


class BuildFailed(Exception):
    """A RUN ended with another status than 0, which becomes the client's own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Output:
    """Steps, what they print, and the result."""

    def __init__(self, report: Report, steps: int, *, quiet: bool) -> None:
        self._report, self._steps, self._quiet = report, steps, quiet
        self._step = 0

    def say(self, text: str) -> None:
        """A line of the builder's own."""
        if not self._quiet:
            self._report({"stream": text + "\n"})

    def step(self, code: str) -> None:
        """The next instruction."""
        self._step += 1
        self.say(f"Step {self._step}/{self._steps} : {code}")

    def printed(self, data: bytes, *, error: bool) -> None:
        """What a RUN wrote."""
        text = data.decode(errors="replace")
        if not self._quiet and text:
            self._report({"stream": f"{RED}{text}{PLAIN}" if error else text})

    def warn(self, text: str) -> None:
        """Advice, as what a RUN writes to its stderr."""
        self.printed(f"{text}\n".encode(), error=True)

    def progress(self, row: Json) -> None:
        """A pull's progress."""
        if not self._quiet:
            self._report(row)

    def image(self, image_id: str) -> None:
        """The id of a stage's image, for programs."""
        if not self._quiet:
            self._report({"aux": {"ID": image_id}})

    def built(self, image_id: str, names: list[str]) -> None:
        """The end."""
        if self._quiet:
            self._report({"stream": image_id + "\n"})
            return
        self.say(f"Successfully built {short(image_id)}")
        for name in names:
            self.say(f"Successfully tagged {name}")


def short(image_id: str) -> str:
    """The first twelve digits of an id; empty for none."""
    return image_id.removeprefix("sha256:")[:12]
