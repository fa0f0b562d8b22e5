"""conmon: one small process a container that holds its stdio, writes its log and its exit file, and outlives the
engine.

conmon is started in its bundle (it reports an OOM kill by a file ``oom`` in its working directory) and moved to a
cgroup of its own before it may do anything, so that stopping the engine's service touches no container. It tells the
outcome of the runtime's create in one line of JSON on a pipe.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import System
from agent.engine.kernel import files, pidfd
from agent.engine.kernel.failpoints import failpoint
from agent.engine.runtime.base import ExecSpec, Launch, Processes, RuntimeRefused, spoken

DEADLINE = 60.0
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC0"}

Place = Callable[[int, str], None]
"""Puts a conmon (by pid) of a container (by id) into its cgroup."""


@dataclass(frozen=True, slots=True)
class _Answer:
    pid: int
    message: str


async def _line(descriptor: int) -> bytes:
    """Read up to a newline or the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()
    read = bytearray()

    def readable() -> None:
        try:
            chunk = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        read.extend(chunk)
        if (not chunk or b"\n" in chunk) and not done.done():
            loop.remove_reader(descriptor)
            done.set_result(bytes(read))

    loop.add_reader(descriptor, readable)
    try:
        return await done
    finally:
        loop.remove_reader(descriptor)


@contextlib.asynccontextmanager
async def _pipes() -> AsyncIterator[tuple[int, int, int, int]]:
    """(sync read, sync write, start read, start write), closed at the end unless the caller has done so."""
    sync_read, sync_write = os.pipe2(os.O_CLOEXEC)
    start_read, start_write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(sync_read, False)
    try:
        yield sync_read, sync_write, start_read, start_write
    finally:
        for descriptor in (sync_read, start_write):
            os.close(descriptor)


class Conmon:
    """Starts conmons."""

    def __init__(self, place: Place) -> None:
        """Find the program.

        Raises:
            System: conmon is not installed.
        """
        path = shutil.which("conmon")
        if path is None:
            raise System("conmon is not installed")
        self._path = path
        self._place = place

    async def create(self, launch: Launch, runtime: str, runtime_arguments: Sequence[str]) -> Processes:
        """Create a container under a new conmon.

        Raises:
            RuntimeRefused: with the runtime's words.
        """
        launch.bundle.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(launch.bundle / "config.json", json.dumps(launch.spec, separators=(",", ":")).encode())
        launch.exit_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A code left by the last run must not be taken for this one's.
        for stale in (launch.exit_dir / launch.id, launch.bundle / "oom"):
            stale.unlink(missing_ok=True)
        options = ["--log-path", f"k8s-file:{launch.log_path}", "--name", launch.name]
        if not launch.sync_log:
            options.append("--no-sync-log")
        if launch.stdin:
            options.append("--stdin")
            if not launch.stdin_once:
                options.append("--leave-stdin-open")
        if launch.tty:
            options.append("--terminal")
        return await self._spawn(launch.id, launch.bundle, launch.exit_dir, options, runtime, runtime_arguments)

    async def execute(
        self, spec: ExecSpec, bundle: Path, exit_dir: Path, runtime: str, runtime_arguments: Sequence[str]
    ) -> Processes:
        """Run one more process in a container, under a conmon of its own.

        Raises:
            RuntimeRefused: with the runtime's words.
        """
        bundle.mkdir(mode=0o700, parents=True, exist_ok=True)
        exit_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = ["--exec", "--exec-process-spec", str(spec.process_file), "--log-path", "none"]
        if spec.tty:
            options.append("--terminal")
        return await self._spawn(spec.container_id, bundle, exit_dir, options, runtime, runtime_arguments)

    async def _spawn(
        self,
        container_id: str,
        bundle: Path,
        exit_dir: Path,
        options: Sequence[str],
        runtime: str,
        runtime_arguments: Sequence[str],
    ) -> Processes:
        argv = [
            self._path, "--api-version", "1", "--sync", "--full-attach", "--cid", container_id, "--cuuid", container_id,
            "--runtime", runtime, "--bundle", str(bundle), "--container-pidfile", str(bundle / "pidfile"),
            "--exit-dir", str(exit_dir), *options,
        ]  # fmt: skip
        for argument in runtime_arguments:
            argv += ["--runtime-arg", argument]
        async with _pipes() as (sync_read, sync_write, start_read, start_write):
            try:
                process = subprocess.Popen(  # noqa: ASYNC220 (vfork and exec: 0.2 ms; asyncio's takes three times that)
                    argv,
                    cwd=bundle,
                    env={**ENVIRONMENT, "_OCI_SYNCPIPE": str(sync_write), "_OCI_STARTPIPE": str(start_read)},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(sync_write, start_read),
                )
            finally:
                os.close(sync_write)
                os.close(start_read)
            try:
                ticks = pidfd.start_ticks(process.pid)
                self._place(process.pid, container_id)
                failpoint("start.forked")
                os.write(start_write, b"0")
                answer = await asyncio.wait_for(self._answer(sync_read), DEADLINE)
            except BaseException:
                process.kill()
                await asyncio.to_thread(process.wait)
                raise
        if answer.pid <= 0:
            await asyncio.to_thread(process.wait)
            raise RuntimeRefused(spoken(answer.message))
        # From here on the exit watcher reaps it, by pid.
        process.returncode = 0
        return Processes(answer.pid, pidfd.start_ticks(answer.pid), process.pid, ticks)

    @staticmethod
    async def _answer(descriptor: int) -> _Answer:
        line = await _line(descriptor)
        try:
            # An exec that has ended already has told its exit code in a second line.
            said = json.loads(line.partition(b"\n")[0])
            return _Answer(int(said["data"]), str(said.get("message", "")))
        except (ValueError, KeyError, TypeError):
            return _Answer(-1, line.decode(errors="replace"))
