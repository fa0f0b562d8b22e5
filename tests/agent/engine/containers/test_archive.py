"""Files in and out of a stopped container: shapes, refusals, links to the host, and what changes meanwhile."""

import contextlib
import io
import os
import re
import shutil
import stat
import tarfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.engine.containers.files.archive import Archive, clean
from agent.engine.errors import Denied, EngineError, Invalid, NotFound, System
from agent.engine.events import EventBus
from agent.engine.state.records import ContainerRecord, MountPoint


def record(*mounts: MountPoint, **host: Any) -> ContainerRecord:
    return ContainerRecord(
        id="a" * 64, name="a", created_ns=1, path="sh", args=(), config={}, host_config=host, image_id="sha256:0",
        image_ref="busy", mounts=mounts,
    )  # fmt: skip


class Collector:
    """Takes an archive as pieces, and says when it is enough."""

    socket = None

    def __init__(self, enough: int = 1 << 62) -> None:
        self.stat: dict[str, Any] = {}
        self.data = bytearray()
        self.seen, self._enough = 0, enough

    async def whole(self, stat: dict[str, Any], data: bytes) -> None:
        self.stat, self.data = stat, bytearray(data)

    async def begin(self, stat: dict[str, Any]) -> None:
        self.stat = stat

    async def write(self, data: bytes) -> None:
        self.seen += len(data)
        if self._enough == 1 << 62:
            self.data += data
        if self.seen > self._enough:
            raise EnoughError


class EnoughError(Exception):
    """The test has seen enough."""


class Cast:
    """A root file system, a secret of the host, and the archive over them."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.secret = directory / "secret"
        self.secret.write_text("host")
        (self.root / "d/sub").mkdir(parents=True)
        (self.root / "d/f").write_text("one\n")
        (self.root / "d/f").chmod(0o640)
        (self.root / "d/sub/g").write_text("two\n")
        (self.root / "d/link").symlink_to("f")
        (self.root / "d/dangling").symlink_to("/nosuch")
        (self.root / "dlink").symlink_to("/d")
        self.events = EventBus()
        self.archive = Archive(self._mounted, self.events)

    @contextlib.asynccontextmanager
    async def _mounted(self, _: ContainerRecord) -> AsyncIterator[Path]:
        yield self.root

    async def take(self, path: str, of: ContainerRecord | None = None) -> list[str]:
        return [f"{m.mode & 0o7777:o} {m.type.decode()} {m.name}" for m in await self.members(path, of)]

    async def members(self, path: str, of: ContainerRecord | None = None) -> list[tarfile.TarInfo]:
        taken = Collector()
        await self.archive.send(of or record(), path, taken)
        self.stat, self.data = taken.stat, bytes(taken.data)
        with tarfile.open(fileobj=io.BytesIO(self.data)) as opened:
            return opened.getmembers()

    async def put(
        self, path: str, files: dict[str, str | None], of: ContainerRecord | None = None, **options: Any
    ) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.mode = 0o755 if content is None else 0o644
                member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
                member.size = len(content or "")
                archive.addfile(member, io.BytesIO((content or "").encode()))

        async def body() -> AsyncIterator[bytes]:
            yield buffer.getvalue()

        await self.archive.write(of or record(), path, body(), **options)


@pytest.fixture
async def cast(tmp_path: Path) -> AsyncIterator[Cast]:
    made = Cast(tmp_path)
    yield made
    made.archive.close()


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", None), ("/", "/"), ("d", "/d"), ("/d/", "/d/"), ("/d/.", "/d/."), ("//d/../x//y", "/x/y"), ("..", "/"),
        ("/.", "/."), ("/d/../.", "/."), (".", "/."),
    ],
)  # fmt: skip
def test_paths(path: str, found: str | None) -> None:
    if found is None:
        with pytest.raises(Invalid, match="bad parameter: pathcannot be empty"):
            clean(path)
    else:
        assert clean(path) == found


async def test_a_folder_and_its_parts(cast: Cast) -> None:
    rows = ["755 5 d", "777 2 d/dangling", "640 0 d/f", "777 2 d/link", "755 5 d/sub", "644 0 d/sub/g"]
    assert await cast.take("/d") == rows
    assert await cast.take("/d/f") == ["640 0 f"]
    assert await cast.take("/d/link") == ["777 2 link"]
    assert await cast.take("/dlink") == ["777 2 dlink"]
    assert await cast.take("/dlink/") == [row.replace(" d", " dlink", 1) for row in rows]
    assert (await cast.take("/d/."))[:2] == ["755 5 .", "777 2 ./dangling"]
    assert next(event["Action"] for event in cast.events.history()) == "archive-path"


@pytest.mark.parametrize(
    ("path", "name", "mode", "target"),
    [
        ("/d/f", "f", 0o640, ""),
        ("/d", "d", 1 << 31 | 0o755, ""),
        ("/d/link", "link", 1 << 27 | 0o777, "/d/f"),
        ("/d/dangling", "dangling", 1 << 27 | 0o777, "/nosuch"),
        ("/", "/", 1 << 31 | 0o755, ""),
    ],
)
async def test_stat(cast: Cast, path: str, name: str, mode: int, target: str) -> None:
    found = await cast.archive.stat(record(), path)
    assert (found["name"], found["mode"], found["linkTarget"]) == (name, mode, target)


@pytest.mark.parametrize("path", ["/nosuch", "/d/f/x", "/d/f/", "/d/dangling/"])
async def test_what_is_not_there(cast: Cast, path: str) -> None:
    with pytest.raises(NotFound, match=f"Could not find the file {path} in container a"):
        await cast.archive.stat(record(), path)
    with pytest.raises(NotFound):
        await cast.take(path)


async def test_files_go_in(cast: Cast) -> None:
    await cast.put("/d/sub", {"new": "hi", "folder": None, "folder/x": "y"})
    assert (cast.root / "d/sub/folder/x").read_text() == "y"
    await cast.put("/dlink", {"through": "link"})
    assert (cast.root / "d/through").read_text() == "link"
    await cast.put("/d", {"owned": "x"}, owner=(12, 34))
    assert ((cast.root / "d/owned").stat().st_uid, (cast.root / "d/owned").stat().st_gid) == (12, 34)
    assert "extract-to-dir" in [event["Action"] for event in cast.events.history()]


async def test_refusals_on_the_way_in(cast: Cast) -> None:
    with pytest.raises(NotFound):
        await cast.put("/nosuch", {"x": "y"})
    with pytest.raises(EngineError):
        await cast.put("/d/f", {"x": "y"})
    with pytest.raises(Denied, match="container rootfs is marked read-only"):
        await cast.put("/d", {"x": "y"}, record(ReadonlyRootfs=True))
    overwritten = 'Error processing tar file(exit status 1): cannot overwrite non-directory "/d/f" with directory "/d"'
    with pytest.raises(System, match=re.escape(overwritten)):
        await cast.put("/d", {"f": None}, keep_folders=True)
    outside = 'Error processing tar file(exit status 1): "../x" is outside of "/d"'
    with pytest.raises(System, match=re.escape(outside)):
        await cast.put("/d", {"../x": "y"})
    assert (cast.root / "d/f").read_text() == "one\n"


async def test_c4_magic_links_and_special_files(cast: Cast) -> None:
    os.mkfifo(cast.root / "d/fifo")
    os.mknod(cast.root / "d/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    rows = await cast.take("/d")
    assert "644 6 d/fifo" in [row.replace("600 6", "644 6") for row in rows]
    assert any(" 3 d/null" in row for row in rows)
    (cast.root / "proc").mkdir()
    for path in ("/proc/self/root/etc/passwd", "/proc/1/fd/0"):
        with pytest.raises(NotFound):
            await cast.archive.stat(record(), path)


async def test_c4_a_huge_sparse_file_takes_no_memory(cast: Cast) -> None:
    with (cast.root / "big").open("wb") as file:
        file.truncate(1 << 40)
    taken = Collector(50_000_000)
    with pytest.raises(EnoughError):
        await cast.archive.send(record(), "/big", taken)


async def test_c1_a_folder_swapped_for_a_link_never_leads_to_the_host(cast: Cast) -> None:
    (cast.root / "real").mkdir()
    (cast.root / "real" / "secret").write_text("mine")
    stop = threading.Event()

    def swap() -> None:
        path = cast.root / "way"
        while not stop.is_set():
            with contextlib.suppress(OSError):
                path.symlink_to(cast.secret.parent)
                path.unlink()
                path.mkdir()
            shutil.rmtree(path, ignore_errors=True)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(40):
            try:
                await cast.members("/way/secret")
            except EngineError:
                pass
            else:
                assert b"host" not in cast.data
            try:
                await cast.put("/way", {"secret": "evil"})
            except EngineError:
                pass
    finally:
        stop.set()
        thread.join()
    assert cast.secret.read_text() == "host"


async def test_c2_volumes_of_a_stopped_container_are_there_and_cannot_be_lured_out(cast: Cast, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "v").write_text("in the volume")
    (cast.root / "v").mkdir()
    mounted = record(MountPoint("volume", str(volume), "/v"))
    assert await cast.take("/v", mounted) == ["755 5 v", "644 0 v/v"]
    await cast.put("/v", {"new": "x"}, mounted)
    assert (volume / "new").read_text() == "x"
    (cast.root / "v").rmdir()
    (cast.root / "v").symlink_to(cast.secret.parent)
    with pytest.raises(EngineError):
        await cast.put("/v", {"secret": "evil"}, mounted)
    assert cast.secret.read_text() == "host"


async def test_c3_a_program_of_the_container_is_never_run(cast: Cast) -> None:
    for name in ("xz", "zstd", "gzip", "python3"):
        program = cast.root / "usr/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\ntouch /marker\n")
        program.chmod(0o755)
    import lzma

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("made"))

    async def body() -> AsyncIterator[bytes]:
        yield lzma.compress(buffer.getvalue())

    await cast.archive.write(record(), "/d", body())
    assert (cast.root / "d/made").exists()
    assert not (cast.root / "marker").exists()


async def test_a_volume_has_its_place_before_the_first_start(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "vol").mkdir()
    (tmp_path / "one").write_text("1")
    mounts = [
        MountPoint(type="volume", name="v", source=str(tmp_path / "vol"), destination="/new/vol", rw=True),
        MountPoint(type="bind", source=str(tmp_path / "one"), destination="/new/one", rw=True),
    ]
    await cast.put("/new/vol", {"x": "y"}, record(*mounts))
    assert (tmp_path / "vol/x").read_text() == "y"
    assert await cast.take("/new/one", record(*mounts)) == ["644 0 one"]


async def test_export(cast: Cast) -> None:
    taken = Collector()
    await cast.archive.export(record(), taken)
    with tarfile.open(fileobj=io.BytesIO(taken.data)) as opened:
        assert [m.name for m in opened][:3] == ["d", "d/dangling", "d/f"]
    assert [event["Action"] for event in cast.events.history()] == ["export"]


async def test_hard_links_stay_links(cast: Cast) -> None:
    (cast.root / "d/hard").hardlink_to(cast.root / "d/f")
    by_name = {member.name: member for member in await cast.members("/d")}
    assert by_name["d/hard"].linkname == "d/f"


async def test_a_socket_is_left_out(cast: Cast) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as link:
        link.bind(str(cast.root / "d/sock"))
        assert not any("sock" in row for row in await cast.take("/d"))


async def test_a_place_that_is_no_folder_has_docker_s_words(cast: Cast) -> None:
    with pytest.raises(System, match="extraction point is not a directory"):
        await cast.put("/d/f", {"x": "y"})
