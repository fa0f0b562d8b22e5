"""What a runtime must do for the engine, and the values that go in and out.

A container's life here: ``create`` makes its processes and stops right before the program (so that viewers can
attach and nothing is lost), ``start`` lets the program run, ``Exits.wait`` tells how it ended, ``delete`` takes the
remains away.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agent.engine.errors import EngineError

Json = Mapping[str, Any]


class RuntimeRefused(EngineError):
    """The OCI runtime could not do it; ``str(error)`` holds its own words."""


def spoken(text: str) -> str:
    """The runtime's last message, from its JSON log lines or plain stderr."""
    messages: list[str] = []
    for line in text.strip().splitlines():
        try:
            messages.append(json.loads(line)["msg"])
        except (ValueError, KeyError, TypeError):
            messages.append(line)
    return messages[-1] if messages else "no message"


@dataclass(frozen=True, slots=True)
class Launch:
    """All that conmon and the runtime need to make a container."""

    id: str
    name: str
    spec: Json
    bundle: Path
    """Made, and filled, by the runtime; conmon works in it."""
    log_path: Path
    exit_dir: Path
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    """Close the program's stdin when the attached client closes its own."""
    runtime: str = ""
    """Name of the runtime; empty: the engine's default."""
    sync_log: bool = True
    """Sync the log to disk when the container ends; off for containers that are removed at once."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The two processes of a running container, each with its start time."""

    pid: int
    ticks: int
    conmon_pid: int
    conmon_ticks: int


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """One more process in a container."""

    container_id: str
    process_file: Path
    """The OCI ``process`` object as JSON."""
    pid_file: Path
    tty: bool = False
    console_socket: Path | None = None
    """Where the runtime sends the terminal's descriptor (SCM_RIGHTS); needed with tty."""
    preserve: Sequence[int] = field(default_factory=tuple)
    log_file: Path | None = None
    """Where the runtime writes its own errors, so that they are told from the program's."""


class Runtime(Protocol):
    """A runtime of the engine. Errors: ``RuntimeRefused``."""

    name: str
    version: str

    @property
    def names(self) -> Collection[str]:
        """All that a container may name as its runtime."""

    def kind_of(self, name: str) -> str:
        """The program behind a name: ``crun``, ``runc`` …"""

    async def create(self, launch: Launch) -> Processes:
        """Make the container's processes, waiting right before the program. conmon's sockets exist in the bundle:

        ``attach`` (SEQPACKET; one type byte, 2 stdout, 3 stderr, then up to 8 KiB; what is written becomes stdin),
        ``ctl`` (FIFO: ``"1 ROWS COLS\\n"`` resizes, ``"2\\n"`` reopens the log). Reading attach must never stop
        while it is open: conmon blocks the container otherwise.
        """

    async def start(self, container_id: str) -> None:
        """Let the program run."""

    async def delete(self, container_id: str) -> None:
        """Take away what the runtime keeps of a container, killing what is left of it. Gone already is fine."""

    async def pause(self, container_id: str) -> None:
        """Freeze all processes."""

    async def resume(self, container_id: str) -> None:
        """Let frozen processes go on."""

    async def update(self, container_id: str, resources: Json) -> None:
        """Change limits: an OCI ``linux.resources`` object."""

    def exec_argv(self, spec: ExecSpec) -> list[str]:
        """The command that runs one more process and stays until it ends, with its exit code.

        Its stdio is the caller's; with a tty, the descriptor comes over ``console_socket``. 10 ms, against 32 through
        conmon.
        """

    async def exec_detached(self, spec: ExecSpec, bundle: Path, exit_dir: Path) -> Processes:
        """Run one more process under a conmon of its own, so that it and its exit code outlive the engine.

        The exit file in ``exit_dir`` bears the *container's* id: give each exec a directory of its own.
        """
