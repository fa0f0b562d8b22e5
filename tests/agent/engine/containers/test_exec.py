"""Execs by a real crun in a real container: streams, codes, terminal, input, and the words for what cannot run."""

import asyncio
import gc
import json
import os
import secrets
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.engine.containers.io.exec import Exec, Execs
from agent.engine.containers.io.execspec import ProcessMaker, environment
from agent.engine.errors import Conflict, EngineError, Invalid, NotFound
from agent.engine.events import EventBus
from agent.engine.kernel import cgroups, syscalls
from agent.engine.runtime.conmon import Conmon
from agent.engine.runtime.crun import Crun
from agent.engine.runtime.exits import Exits
from agent.engine.state.records import ContainerRecord, State, Status
from agent.streams import stdcopy


class Client:
    """A client that types what it is given and keeps what it is sent."""

    def __init__(self, typed: bytes = b"", *, ends: bool = True) -> None:
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        if typed:
            self._typed.put_nowait(typed)
        if ends:
            self._typed.put_nowait(b"")
        self.received = b""

    def type(self, data: bytes) -> None:
        self._typed.put_nowait(data)

    async def read(self) -> bytes:
        return await self._typed.get()

    async def write(self, data: bytes) -> None:
        self.received += data

    def text(self, stream: int) -> bytes:
        return b"".join(data for number, data in stdcopy.Reader().feed(self.received) if number == stream)


class Cast:
    """One running container and the execs of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.events = EventBus()
        self.exits = Exits()
        self.conmon = Conmon(lambda _pid, _id: None)
        self.crun = Crun("crun", directory / "state", self.conmon)
        self.id = secrets.token_hex(32)
        self.bundle = directory / self.id
        self.record: ContainerRecord | None = None

    def start(self) -> None:
        rootfs = self.bundle / "rootfs"
        for name in ("bin", "etc", "proc", "dev", "tmp", "sys"):
            (rootfs / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", rootfs / "bin/busybox")
        for name in ("sh", "echo", "cat", "id", "tty", "env", "sleep", "stty", "pwd", "touch", "test"):
            (rootfs / "bin" / name).symlink_to("busybox")
        (rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n")
        (rootfs / "etc/group").write_text("root:x:0:\nguest:x:1000:\nextra:x:1500:guest\n")
        caps = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_DAC_OVERRIDE"]
        process = {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/sleep", "600"],
            "env": ["PATH=/bin", "A=outer"],
            "cwd": "/tmp",
            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
        }
        spec = {
            "ociVersion": "1.0.2",
            "process": process,
            "root": {"path": "rootfs"},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
                {
                    "destination": "/dev/pts",
                    "type": "devpts",
                    "source": "devpts",
                    "options": ["newinstance", "ptmxmode=0666"],
                },
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
                "cgroupsPath": f"/ls-test-exec/{self.id}",
            },
        }
        (self.bundle / "config.json").write_text(json.dumps(spec))
        subprocess.run(
            [*self._command, "run", "-d", "--pid-file", self.bundle / "pid", "-b", self.bundle, self.id],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.record = ContainerRecord(
            id=self.id, name="a", created_ns=1, path="sleep", args=("600",), config={"Labels": {"k": "v"}},
            host_config={}, image_id="sha256:0", image_ref="busy",
            state=State(status=Status.RUNNING, pid=int((self.bundle / "pid").read_text())),
        )  # fmt: skip
        self.execs = self.make_execs()

    def make_execs(self) -> Execs:
        return Execs(
            self.crun,
            self.events,
            lambda id_: self.record if id_ == self.id else None,
            ProcessMaker(lambda id_: self.directory / id_),
            self.directory / "execs",
            lambda id_, processes, exit_file, bundle: self.exits.watch(id_, processes, exit_file, bundle),
        )

    @property
    def _command(self) -> list[Any]:
        return ["crun", "--root", self.directory / "state", "--cgroup-manager=cgroupfs"]

    def stop(self) -> None:
        subprocess.run([*self._command, "delete", "-f", self.id], check=False)
        cgroups.remove(cgroups.detect(), "/ls-test-exec", patience=2)

    async def run(
        self, *argv: str, client: Client | None = None, size: Any = None, **options: Any
    ) -> tuple[Exec, Client]:
        client = client or Client()
        wanted = Exec("", "", argv, **({"stdout": True, "stderr": True} | options))
        made = self.execs.create(self.record, wanted)
        await asyncio.wait_for(self.execs.run(self.execs.ready(made.id), client, size), 20)
        return made, client

    def told(self) -> list[str]:
        return [event["Action"].partition(":")[0] for event in self.events.history()]


async def over(made: Exec) -> None:
    for _ in range(100):
        if not made.running:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the exec did not end")


@pytest.fixture
async def cast(tmp_path: Path) -> AsyncIterator[Cast]:
    syscalls.set_child_subreaper()
    cast = Cast(tmp_path)
    cast.start()
    yield cast
    await cast.execs.close()
    await cast.exits.close()
    cast.stop()


async def test_it_works(cast: Cast) -> None:
    made, client = await cast.run("sh", "-c", "echo out; echo err >&2; exit 5")
    assert (client.text(1), client.text(2)) == (b"out\n", b"err\n")
    assert (made.exit_code, made.running) == (5, False)
    assert cast.told() == ["exec_create", "exec_start", "exec_die"]
    assert list(cast.events.history())[-1]["Actor"]["Attributes"]["exitCode"] == "5"
    assert not list((cast.directory / "execs").iterdir())
    assert cast.execs.of(cast.id) == []


async def test_the_code_is_there_before_the_stream_ends(cast: Cast) -> None:
    seen: list[Any] = []
    wanted = cast.execs.create(cast.record, Exec("", "", ("sh", "-c", "exit 3"), stdout=True))
    await cast.execs.run(wanted, Client())
    seen.append(wanted.exit_code)
    assert seen == [3]


async def test_environment_user_and_folder(cast: Cast) -> None:
    _, client = await cast.run(
        "sh", "-c", "id -u; id -G; pwd; echo $A $B $HOME", user="guest", workdir="/bin", env=("A=mine", "B=2")
    )
    assert client.text(1) == b"1000\n1000 1500\n/bin\nmine 2 /tmp\n"


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [(("nosuch",), 127, b"OCI runtime exec failed"), (("/etc/passwd",), 126, b"OCI runtime exec failed")],
)
async def test_what_cannot_run_says_so_on_the_stream(
    cast: Cast, argv: tuple[str, ...], code: int, words: bytes
) -> None:
    made, client = await cast.run(*argv)
    assert made.exit_code == code
    assert words in client.text(1)
    assert client.text(1).endswith(b"\r\n")
    assert client.text(2) == b""


async def test_a_failed_exec_does_not_keep_its_container_from_ending(cast: Cast) -> None:
    await cast.run("nosuch")
    pid = cast.record.state.pid
    os.kill(pid, 9)
    for _ in range(60):
        if not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the container did not end")


async def test_an_unknown_user(cast: Cast) -> None:
    made, client = await cast.run("true", user="nosuch")
    assert (made.exit_code, client.text(1)) == (
        126,
        b"unable to find user nosuch: no matching entries in passwd file\r\n",
    )


async def test_input_and_its_end(cast: Cast) -> None:
    _, client = await cast.run("sh", "-c", "cat; echo end", client=Client(b"one\ntwo\n"), stdin=True)
    assert client.text(1) == b"one\ntwo\nend\n"


async def test_much_input_and_output_at_once(cast: Cast) -> None:
    data = os.urandom(3_000_000)
    _, client = await cast.run("cat", client=Client(data), stdin=True)
    assert client.text(1) == data


async def test_a_terminal(cast: Cast) -> None:
    # The runtime hands the terminal over while the program begins, with crun as with runc: its first look may be early.
    script = 'tty; until size=$(stty size 2>/dev/null) && [ "$size" ]; do sleep 0.02; done; echo $size; echo $TERM'
    made, client = await cast.run("sh", "-c", script, tty=True, stdin=True, size=(11, 22))
    assert client.received == b"/dev/pts/0\r\n11 22\r\nxterm\r\n"
    assert made.exit_code == 0


async def test_a_terminal_reads_and_is_resized(cast: Cast) -> None:
    client = Client(ends=False)
    made = cast.execs.create(
        cast.record, Exec("", "", ("sh", "-c", "read x; stty size; echo got $x"), tty=True, stdin=True, stdout=True)
    )
    running = asyncio.create_task(cast.execs.run(made, client))
    await asyncio.sleep(0.2)
    cast.execs.resize(made.id, 33, 44)
    client.type(b"hello\n")
    await asyncio.wait_for(running, 10)
    assert client.received == b"hello\r\n33 44\r\ngot hello\r\n"


async def test_detach_keys_leave_it_running(cast: Cast) -> None:
    client = Client(b"\x10\x11", ends=False)
    made, _ = await cast.run("sh", "-c", "sleep 0.5; touch /made", client=client, tty=True, stdin=True)
    assert made.running
    assert made.exit_code is None
    await over(made)
    assert (cast.bundle / "rootfs/made").exists()
    assert cast.told()[-2:] == ["exec_detach", "exec_die"]


async def test_detached_it_outlives_us_and_its_code_is_kept(cast: Cast) -> None:
    made = cast.execs.create(cast.record, Exec("", "", ("sh", "-c", "sleep 0.3; exit 9")))
    await cast.execs.run_detached(cast.execs.ready(made.id))
    assert made.running
    assert made.pid > 0
    assert cast.execs.of(cast.id) == [made.id]
    await over(made)
    assert made.exit_code == 9
    assert cast.told() == ["exec_create", "exec_start", "exec_die"]


async def test_an_engine_that_comes_back_knows_a_detached_one_and_its_code(cast: Cast) -> None:
    made = cast.execs.create(cast.record, Exec("", "", ("sh", "-c", "sleep 0.5; exit 9"), user="guest"))
    await cast.execs.run_detached(cast.execs.ready(made.id))
    (cast.directory / "execs" / "left by an attached one").mkdir()
    await cast.execs.close()
    await cast.exits.close()
    cast.exits = Exits()
    again = cast.make_execs()
    again.adopt()
    found = again.get(made.id)
    assert (found.running, found.user, found.argv) == (True, "guest", made.argv)
    assert found.pid > 0
    await over(found)
    assert found.exit_code == 9
    await asyncio.sleep(0.05)
    assert not list((cast.directory / "execs").iterdir())
    await again.close()


async def test_a_detached_one_that_cannot_run_is_an_error(cast: Cast) -> None:
    made = cast.execs.create(cast.record, Exec("", "", ("nosuch",)))
    with pytest.raises(EngineError):
        await cast.execs.run_detached(made)
    assert made.exit_code == 127


async def test_refusals(cast: Cast) -> None:
    with pytest.raises(Invalid, match="No exec command specified"):
        cast.execs.create(cast.record, Exec("", "", ()))
    with pytest.raises(NotFound, match="No such exec instance: nosuch"):
        cast.execs.ready("nosuch")
    made, _ = await cast.run("true")
    with pytest.raises(Conflict, match="has already run"):
        cast.execs.ready(made.id)
    paused = cast.record.with_state(status=Status.PAUSED)
    with pytest.raises(Conflict, match="Container a is paused, unpause the container before exec"):
        cast.execs.create(paused, Exec("", "", ("true",)))
    with pytest.raises(Conflict, match="is not running"):
        cast.execs.create(cast.record.with_state(status=Status.EXITED), Exec("", "", ("true",)))
    cast.execs.forget(cast.id)
    with pytest.raises(NotFound):
        cast.execs.get(made.id)


async def test_a_client_that_leaves_does_not_stop_it(cast: Cast) -> None:
    class Leaving(Client):
        async def write(self, data: bytes) -> None:
            raise ConnectionResetError

    made, _ = await cast.run("sh", "-c", "echo x; sleep 0.2; touch /made", client=Leaving())
    await over(made)
    assert made.exit_code == 0
    assert (cast.bundle / "rootfs/made").exists()


async def test_nothing_is_left_behind(cast: Cast) -> None:
    await cast.run("sh", "-c", "echo x", tty=True)
    before = await settled()
    for _ in range(20):
        await cast.run("sh", "-c", "echo x", tty=True)
        await cast.run("sh", "-c", "echo x")
    assert await settled() <= before


async def settled() -> int:
    """The open descriptors, once what ended tests still held is closed."""
    gc.collect()
    count, same = 0, 0
    while same < 5:
        await asyncio.sleep(0.1)
        now = len(os.listdir("/proc/self/fd"))
        count, same = now, same + 1 if now == count else 0
    return count


def test_environment() -> None:
    own = ["PATH=/bin", "TERM=xterm", "A=1", "B=2"]
    assert environment(own, ["A=x", "B"], tty=False, container_tty=True) == ["PATH=/bin", "A=x"]
    assert environment(["A=1"], [], tty=True, container_tty=False) == ["A=1", "TERM=xterm"]


def test_frames_have_docker_s_header() -> None:
    assert struct.unpack(">BxxxI", stdcopy.frame(2, b"abc")[:8]) == (2, 3)
