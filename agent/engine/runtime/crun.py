"""crun, or runc where crun cannot run, as a command line.

Faster ways than the command's are taken where they are safe: a start is the byte that ``crun start`` would write to
``exec.fifo`` (0.1 ms against 3.5), and crun runs from sealed memory, for it else copies itself there at each call (2 of
an exec's 8 ms).
"""

import asyncio
import errno
import json
import logging
import os
import re
import shutil
import subprocess
from pathlib import Path

from agent.engine.errors import System
from agent.engine.kernel import cgroups, programs
from agent.engine.runtime.base import ExecSpec, Json, Launch, Processes, RuntimeRefused, spoken
from agent.engine.runtime.conmon import Conmon

log = logging.getLogger(__name__)

DEADLINE = 60.0


def choose(wanted: str, hierarchy: cgroups.Hierarchy) -> str:
    """Name of the runtime to use on this host.

    Raises:
        System: none is installed.
    """
    if wanted:
        return wanted
    if shutil.which("crun") and not crun_refuses(hierarchy):
        return "crun"
    if shutil.which("runc"):
        log.warning("using runc: crun %s", crun_refuses(hierarchy) or "is not installed")
        return "runc"
    raise System("no OCI runtime that can run here: install crun or runc")


def crun_refuses(hierarchy: cgroups.Hierarchy) -> str:
    """Why crun cannot run here; empty where it can.

    crun takes a hybrid host for a v2 one while any controller is free on v2.
    """
    unified = cgroups.MOUNT / "unified" / "cgroup.controllers"
    if hierarchy.version == 1 and unified.exists() and (free := unified.read_text().split()):
        return f"refuses this hybrid cgroup host: {', '.join(free)} not mounted as v1"
    return ""


def usable(hierarchy: cgroups.Hierarchy) -> list[str]:
    """Names of the runtimes that this engine knows by itself and that can run here."""
    return [name for name in SAFE if shutil.which(name) and not (name == "crun" and crun_refuses(hierarchy))]


SAFE = {"runc": (1, 2, 8), "crun": (1, 14, 1)}
"""The first versions with the fixes of 2024 and 2025 for escapes by descriptors, /dev and procfs."""


def warnings(name: str, version: str) -> list[str]:
    """What ``docker info`` says of a runtime that is too old. Pure."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    least = SAFE.get(name)
    if least is None or not numbers or numbers >= least:
        return []
    wanted = ".".join(str(part) for part in least)
    return [f"WARNING: {name} {version} is older than {wanted} and lacks its security fixes: upgrade it"]


class Crun:
    """One runtime with its state directory."""

    def __init__(self, name: str, state: Path, conmon: Conmon, program: str = "") -> None:
        """
        Args:
            name: as a container names it.
            state: where the runtime keeps what it knows.
            conmon: holds the containers.
            program: where the name alone does not say it.

        Raises:
            System: the program is not there.
        """
        self.name = name
        found = shutil.which(program or name)
        if found is None:
            raise System(f"the OCI runtime {program or name} is not installed")
        self.path = found
        self._sealed: programs.Sealed | None = None
        self._state = state
        self._conmon = conmon
        self._global = ["--root", str(state), "--log-format=json"]
        out = subprocess.run([self.path, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"version (\S+)", out)
        self.version = version[1] if version else "unknown"
        self.kind = out.split(" ", 1)[0] if version else name
        if self.kind == "crun":
            self._global.append("--cgroup-manager=cgroupfs")
            self._sealed = programs.Sealed(Path(found), state.parent / "programs" / found.strip("/").replace("/", "-"))

    @property
    def _program(self) -> str:
        return self._sealed.path if self._sealed is not None else self.path

    async def create(self, launch: Launch) -> Processes:
        """See ``Runtime.create``."""
        return await self._conmon.create(launch, self._program, self._global)

    async def start(self, container_id: str) -> None:
        """See ``Runtime.start``."""
        if self.kind != "crun":
            await self._run("start", container_id)
            return
        fifo = self._state / container_id / "exec.fifo"
        try:
            # crun holds the reading end since create, so neither open nor write waits.
            descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in {errno.ENXIO, errno.ENOENT}:
                raise RuntimeRefused("the container's first process ended before its program began") from error
            raise
        try:
            fifo.unlink(missing_ok=True)
            os.write(descriptor, b"0")
        finally:
            os.close(descriptor)

    async def delete(self, container_id: str) -> None:
        """See ``Runtime.delete``."""
        if not (self._state / container_id).exists():
            return
        await self._run("delete", "--force", container_id)

    async def pause(self, container_id: str) -> None:
        """See ``Runtime.pause``."""
        await self._run("pause", container_id)

    async def resume(self, container_id: str) -> None:
        """See ``Runtime.resume``."""
        await self._run("resume", container_id)

    async def update(self, container_id: str, resources: Json) -> None:
        """See ``Runtime.update``. By file: crun's own options miss some of what Docker can change."""
        await self._run("update", "-r", "-", container_id, stdin=json.dumps(resources).encode())

    def exec_argv(self, spec: ExecSpec) -> list[str]:
        """See ``Runtime.exec_argv``."""
        log_to = ["--log", str(spec.log_file)] if spec.log_file is not None else []
        argv = [self._program, *self._global, *log_to, "exec"]
        argv += ["--process", str(spec.process_file), "--pid-file", str(spec.pid_file)]
        if spec.console_socket is not None:
            argv += ["--console-socket", str(spec.console_socket)]
        return [*argv, spec.container_id]

    async def exec_detached(self, spec: ExecSpec, bundle: Path, exit_dir: Path) -> Processes:
        """See ``Runtime.exec_detached``."""
        return await self._conmon.execute(spec, bundle, exit_dir, self._program, self._global)

    def compiled_seccomp(self, container_id: str) -> bytes | None:
        """The filter that crun compiled for a container which it has just created."""
        try:
            return (self._state / container_id / "seccomp.bpf").read_bytes() or None
        except FileNotFoundError:
            return None

    async def _run(self, *arguments: str, stdin: bytes | None = None) -> None:
        process = await asyncio.create_subprocess_exec(
            self._program,
            *self._global,
            *arguments,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            _, err = await asyncio.wait_for(process.communicate(stdin), DEADLINE)
        except (TimeoutError, asyncio.CancelledError):
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise RuntimeRefused(spoken(err.decode(errors="replace")))
