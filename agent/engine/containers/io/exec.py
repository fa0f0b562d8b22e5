"""One more process in a running container.

An attached exec is a ``crun exec`` of the engine's own (10 ms; 32 under conmon): its pipes or its terminal are ours,
and it ends with them. A detached one runs under a conmon, so it outlives the engine. Docker Engine API: ContainerExec,
ExecStart, ExecResize, ExecInspect.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from agent.engine.containers.io import execfile, execio, orphans
from agent.engine.containers.io.attach import Client, keys
from agent.engine.errors import Conflict, EngineError, Invalid, NotFound
from agent.engine.events import EventBus
from agent.engine.kernel import cgroups, children, files
from agent.engine.kernel.failpoints import failpoint
from agent.engine.runtime.base import ExecSpec, Processes, RuntimeRefused
from agent.engine.state.records import ContainerRecord, Status

log = logging.getLogger(__name__)

NOT_FOUND, CANNOT_RUN = 127, 126
# Output of a process that has ended is awaited this long: a child that it left behind may hold the pipe for ever.
PATIENCE = 2.0


@dataclass
class Exec:
    """An exec as the client made it, and what became of it. Kept until its container is removed."""

    id: str
    container_id: str
    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    tty: bool = False
    privileged: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    detach_keys: str = ""
    raw: bool = False
    """Without frames, though there is no terminal."""
    started: bool = False
    running: bool = False
    exit_code: int | None = None
    refused: bool = False
    """The runtime could not run the program; the code is ours."""
    pid_file: Path | None = None
    stdio: "execio.Stdio | None" = None
    """While it runs attached."""

    @property
    def pid(self) -> int:
        """Pid on the host; 0 until it is known."""
        try:
            return int(self.pid_file.read_text()) if self.pid_file else 0
        except (OSError, ValueError):
            return 0

    @property
    def command(self) -> str:
        """The command line as events show it; a lone program has a blank behind it."""
        return f"{self.argv[0]} {' '.join(self.argv[1:])}"


_KEPT = ("id", "container_id", "argv", "env", "user", "workdir", "tty", "privileged", "stdin", "stdout", "stderr")


class ExecRuntime(Protocol):
    """What is needed of the runtime."""

    def exec_argv(self, spec: ExecSpec) -> list[str]: ...
    async def exec_detached(self, spec: ExecSpec, bundle: Path, exit_dir: Path) -> Processes: ...


class ProcessOf(Protocol):
    """Makes the OCI ``process`` of an exec from the container's own.

    Raises:
        EngineError: the user is not known in the container.
    """

    def __call__(self, record: ContainerRecord, exec_: Exec, /) -> Awaitable[Mapping[str, Any]]: ...


class Execs:
    """All execs of the engine.

    Args:
        runtime: starts processes.
        events: where ``exec_create``, ``exec_start``, ``exec_die`` and ``exec_detach`` are told.
        find: a container's newest record.
        process_of: makes the OCI process.
        directory: where each exec has its files.
        watch: watches a detached exec: id, processes, exit file, bundle → its exit.
        spare: pids of containers' first processes, which are never reaped here.
    """

    def __init__(
        self,
        runtime: ExecRuntime,
        events: EventBus,
        find: Callable[[str], ContainerRecord | None],
        process_of: ProcessOf,
        directory: Path,
        watch: Callable[[str, Processes, Path, Path], Awaitable[Any]],
        spare: Callable[[], Collection[int]] = tuple,
    ) -> None:
        self._runtime, self._events, self._find, self._process_of = runtime, events, find, process_of
        self._directory, self._watch, self._spare = directory, watch, spare
        self._execs: dict[str, Exec] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, exec_id: str) -> Exec:
        """The exec of this id.

        Raises:
            NotFound: there is none.
        """
        found = self._execs.get(exec_id)
        if found is None:
            raise NotFound(f"No such exec instance: {exec_id}")
        return found

    def of(self, container_id: str) -> list[str]:
        """Ids of the execs that a container's inspection shows: those that have not ended."""
        return [e.id for e in self._execs.values() if e.container_id == container_id and e.exit_code is None]

    def forget(self, container_id: str) -> None:
        """Drop what belongs to a container that is removed."""
        for exec_id in [e.id for e in self._execs.values() if e.container_id == container_id]:
            del self._execs[exec_id]

    def create(self, record: ContainerRecord, wanted: Exec) -> Exec:
        """Remember an exec; nothing runs yet.

        Raises:
            Conflict: the container does not run.
            Invalid: no command, or detach keys that are none.
        """
        if not wanted.argv:
            raise Invalid("No exec command specified")
        self._check(record)
        keys(wanted.detach_keys)
        cgroups.foresee_move()
        made = replace(wanted, id=secrets.token_hex(32), container_id=record.id)
        self._execs[made.id] = made
        self._tell(record, made, f"exec_create: {made.command}")
        return made

    @staticmethod
    def _check(record: ContainerRecord) -> None:
        if record.state.status is Status.PAUSED:
            raise Conflict(f"Container {record.name} is paused, unpause the container before exec")
        if record.state.status is Status.RESTARTING:
            raise Conflict(f"Container {record.id} is restarting, wait until the container is running")
        if record.state.status is not Status.RUNNING:
            raise Conflict(f"Container {record.id} is not running")

    def ready(self, exec_id: str) -> Exec:
        """The exec, if it may be started.

        Raises:
            NotFound: no such exec, or its container is gone.
            Conflict: it runs, has run, or its container does not run.
        """
        found = self.get(exec_id)
        if found.running:
            raise Conflict(f"Error: Exec command {exec_id} is already running")
        if found.started:
            raise Conflict(f"Error: Exec command {exec_id} has already run")
        self._check(self._container(found))
        return found

    def _container(self, exec_: Exec) -> ContainerRecord:
        record = self._find(exec_.container_id)
        if record is None:
            raise NotFound(f"No such container: {exec_.container_id}")
        return record

    def _tell(self, record: ContainerRecord, exec_: Exec, action: str, **more: str) -> None:
        self._events.publish("container", action, record.id, record.event_attributes(execID=exec_.id, **more))

    def _over(self, exec_: Exec, code: int) -> None:
        """Store the code; before the client's stream closes, so that an inspection right after it is right."""
        exec_.exit_code, exec_.running = code, False
        record = self._find(exec_.container_id)
        if record is not None:
            self._tell(record, exec_, "exec_die", exitCode=str(code))

    async def _prepare(self, exec_: Exec) -> tuple[ContainerRecord, Path]:
        """Mark it started, and write its process into a folder of its own; the caller removes that."""
        record = self._container(exec_)
        exec_.started = exec_.running = True
        cgroups.foresee_move()
        process = await self._process_of(record, exec_)
        directory = self._folder(exec_)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(directory / "process.json", json.dumps(process).encode())
        return record, directory

    def _folder(self, exec_: Exec) -> Path:
        # Short, for a socket in it must have a short path.
        return self._directory / exec_.id[:16]

    def _clear(self, exec_: Exec) -> None:
        shutil.rmtree(self._folder(exec_), ignore_errors=True)

    async def run(
        self, exec_: Exec, client: Client, size: tuple[int, int] | None = None, *, framed: bool | None = None
    ) -> None:
        """Run an exec with the client at its stdio, until it has ended and its output is sent, or the client leaves.

        What keeps it from running is told on the stream, with exit code 126 or 127, as dockerd does.

        Args:
            exec_: one that is ready.
            client: gets the output, gives the input.
            size: the terminal's rows and columns.
            framed: the output is multiplexed; None: where the exec has no terminal.
        """
        output = execio.Output(client, framed=not (exec_.tty or exec_.raw) if framed is None else framed)
        task = self._keep(self._run(exec_, client, output, size), exec_.id)
        await asyncio.wait({task, output.left}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()

    async def _run(self, exec_: Exec, client: Client, output: "execio.Output", size: tuple[int, int] | None) -> None:
        code = CANNOT_RUN
        try:
            record, directory = await self._prepare(exec_)
            exec_.pid_file = directory / "pid"
            failpoint("exec.prepared")
            self._tell(record, exec_, f"exec_start: {exec_.command}")
            code = await self._attached(exec_, directory, client, output, size)
        except EngineError as error:
            await output.write(1, f"{error}\r\n".encode())
        except OSError as error:
            await output.write(1, f"OCI runtime exec failed: {error}\r\n".encode())
        finally:
            self._clear(exec_)
            self._over(exec_, code)

    async def _attached(
        self, exec_: Exec, directory: Path, client: Client, output: "execio.Output", size: tuple[int, int] | None
    ) -> int:
        spec = ExecSpec(
            exec_.container_id,
            directory / "process.json",
            directory / "pid",
            tty=exec_.tty,
            console_socket=directory / "tty" if exec_.tty else None,
            log_file=directory / "log",
        )
        stdio: execio.Stdio = (
            execio.Terminal(directory / "tty", size)
            if exec_.tty
            else execio.Pipes(exec_.stdin, exec_.stdout, exec_.stderr, directory / "pid")
        )
        with stdio:
            process = stdio.spawn(self._runtime.exec_argv(spec))
            with orphans.ended_with_us(process):
                failpoint("exec.spawned")
                return await self._served(exec_, process, stdio, directory, client, output)

    async def _served(
        self,
        exec_: Exec,
        process: "subprocess.Popen[bytes]",
        stdio: "execio.Stdio",
        directory: Path,
        client: Client,
        output: "execio.Output",
    ) -> int:
        copying = asyncio.create_task(stdio.copy(output))
        typing = asyncio.create_task(self._type(exec_, stdio, client, output))
        exec_.stdio = stdio
        try:
            code = await execio.exit_code(process)
            failpoint("exec.ended")
            words = execio.runtime_words(directory / "log") if code else ""
            stdio.ended(refused=bool(words))
            if words:
                exec_.refused = True
                code = NOT_FOUND if execio.means_not_found(words) else CANNOT_RUN
                await output.write(1, f"OCI runtime exec failed: exec failed: {words}: unknown\r\n".encode())
                self._keep(self._reap(), exec_.id)
            await asyncio.wait({copying}, timeout=PATIENCE)
            return code
        finally:
            exec_.stdio = None
            for task in (typing, copying):
                task.cancel()
            await asyncio.gather(typing, copying, return_exceptions=True)

    async def _type(self, exec_: Exec, stdio: "execio.Stdio", client: Client, output: "execio.Output") -> None:
        if exec_.stdin and await stdio.feed(client, keys(exec_.detach_keys)):
            record = self._find(exec_.container_id)
            if record is not None:
                self._tell(record, exec_, "exec_detach")
            output.leave()

    async def _reap(self) -> None:
        # A runtime that could not run the program ends before its child does, and leaves it to us.
        for pause in (0.0, 0.02, 0.2, 1.0):
            await asyncio.sleep(pause)
            children.reap_strangers(self._spare())

    def _keep(self, work: Coroutine[Any, Any, None], exec_id: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=f"exec {exec_id[:12]}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run_detached(self, exec_: Exec) -> None:
        """Run an exec that nobody looks at; returns once it runs.

        Raises:
            EngineError: it could not be started.
        """
        processes: Processes | None = None
        try:
            record, directory = await self._prepare(exec_)
            spec = ExecSpec(exec_.container_id, directory / "process.json", directory / "pidfile", tty=exec_.tty)
            processes = await self._runtime.exec_detached(spec, directory, directory / "exit")
            failpoint("exec.conmon")
            execfile.write(directory, {name: getattr(exec_, name) for name in _KEPT}, processes)
        except BaseException as error:
            if processes is not None:
                orphans.end(processes.conmon_pid)
            self._clear(exec_)
            exec_.refused = isinstance(error, RuntimeRefused)
            self._over(exec_, NOT_FOUND if execio.means_not_found(str(error)) else CANNOT_RUN)
            if exec_.refused:
                raise Invalid(f"OCI runtime exec failed: exec failed: {error}: unknown") from error
            raise
        exec_.pid_file = directory / "pidfile"
        self._keep(self._follow(exec_, directory, processes), exec_.id)
        self._tell(record, exec_, f"exec_start: {exec_.command}")
        failpoint("exec.kept")

    async def _follow(self, exec_: Exec, directory: Path, processes: Processes) -> None:
        end = await self._watch(exec_.id, processes, directory / "exit" / exec_.container_id, directory)
        self._over(exec_, end.code)
        self._clear(exec_)

    def adopt(self) -> None:
        """Know the detached execs again that run since before this engine did; end those that nobody can know."""
        orphans.end_all(self._directory, execfile.kept(self._directory))
        for directory, fields, processes in execfile.read_all(self._directory):
            exec_ = Exec(**fields | {"argv": tuple(fields["argv"]), "env": tuple(fields["env"])})
            exec_.started = exec_.running = True
            exec_.pid_file = directory / "pidfile"
            self._execs[exec_.id] = exec_
            self._keep(self._follow(exec_, directory, processes), exec_.id)

    def kill(self, exec_: Exec) -> None:
        """End an exec's process, if it runs."""
        if exec_.running and (pid := exec_.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def drop(self, exec_: Exec) -> None:
        """Forget an exec that nobody will ask about."""
        self._execs.pop(exec_.id, None)

    def resize(self, exec_id: str, rows: int, columns: int) -> None:
        """Tell an exec's terminal its size.

        Raises:
            NotFound: no such exec.
            Conflict: it does not run.
        """
        found = self.get(exec_id)
        if not found.running:
            raise Conflict(f"Exec {exec_id} is not running")
        if found.stdio is not None:
            found.stdio.resize(rows, columns)

    async def close(self) -> None:
        """Let go of all execs: detached ones run on, attached ones lose their pipes."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
