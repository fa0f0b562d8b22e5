"""The options ``type``, ``device``, ``o`` and ``size`` of local volumes, in dockerd's words."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.errors import EngineError, Invalid, System
from agent.engine.kernel import mounts, syscalls
from agent.engine.volumes import options
from tests.agent.engine.volumes.bench import Bench


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"o": "bind", "device": "/tmp"}, 'missing required option: "type"'),
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"device": "/x"}, 'missing required option: "type"'),
        ({"o": "x"}, 'missing required option: "device"'),
        ({"size": "1g"}, "quota size requested but no quota support"),
        ({"size": "foo"}, "invalid size: 'foo'"),
        ({"nosuch": "1"}, 'invalid option: "nosuch"'),
        ({"type": "cifs", "device": "//server:445/share"}, "port not allowed in CIFS device URL"),
    ],
)
async def test_refused(bench: Bench, given: dict[str, str], words: str) -> None:
    with pytest.raises(Invalid, match=f"create data: {words}"):
        await bench.service.create("data", options=given)
    assert bench.service.list() == []
    assert not (bench.paths.volumes / "data").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "nfs", "o": "addr=127.0.0.1,rw,noatime", "device": ":/x"},
         "mount :/x:{path}, flags: 0x400, data: addr=127.0.0.1: no such device"),
        ({"type": "tmpfs", "o": "size=100q", "device": "tmpfs"},
         "mount tmpfs:{path}, data: size=100q: invalid argument"),
        ({"type": "none", "o": "bind,ro", "device": "/nosuch/dir"},
         "mount /nosuch/dir:{path}, flags: 0x1001: no such file or directory"),
        ({"type": "nosuchfs", "o": "user=x,password=secret", "device": "//127.0.0.1/x"},
         "mount //127.0.0.1/x:{path}, data: user=x,password=********: no such device"),
    ],
)  # fmt: skip
async def test_what_cannot_be_mounted(bench: Bench, given: dict[str, str], words: str) -> None:
    if given["type"] == "nfs" and "\tnfs\n" in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has NFS: the mount would wait for a server")
    path = (await bench.service.create("data", options=given)).mountpoint
    with pytest.raises(System) as failure:
        await bench.service.acquire("data", "c1")
    assert str(failure.value) == (
        f"error while mounting volume '{path}': failed to mount local volume: {words.format(path=path)}"
    )
    await bench.service.remove("data")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """A loop device with an empty ext4."""
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    device = subprocess.run(
        ["losetup", "--show", "-f", image], check=True, capture_output=True, text=True
    ).stdout.strip()
    yield device
    subprocess.run(["losetup", "-d", device], check=True)


async def test_a_disk(bench: Bench, disk: str) -> None:
    await bench.service.create("data", options={"type": "ext4", "device": disk, "o": "noatime,errors=remount-ro"})
    path = await bench.service.acquire("data", "c1")
    assert mounts.filesystem_of(path) == "ext4"
    (path / "kept").write_text("x")
    await bench.service.release("data", "c1")
    assert not (path / "kept").exists()
    assert ((await bench.service.acquire("data", "c2")) / "kept").read_text() == "x"
    await bench.service.release("data", "c2")
    await bench.service.remove("data")


async def test_a_read_only_bind(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    given = {"type": "none", "o": "bind,ro", "device": str(tmp_path / "there")}
    await bench.service.create("data", options=given)
    path = await bench.service.acquire("data", "c1")
    with pytest.raises(OSError, match="Read-only file system"):
        (path / "x").write_text("x")
    await bench.service.release("data", "c1")
    assert await bench.service.usage("data") == -1


@pytest.mark.parametrize(
    ("text", "size"), [("1g", 1 << 30), ("10 MB", 10 << 20), ("5kib", 5 << 10), ("7", 7), ("1.5k", 1536), ("0", 0)]
)
def test_sizes(text: str, size: int) -> None:
    assert options.size({"size": text}) == size


def test_words_of_mount() -> None:
    found = options.parse({"type": "ext4", "device": "/d", "o": "ro,noatime,rw,rshared,data=ordered"})
    assert (found.flags, found.data) == (syscalls.MS_NOATIME, "data=ordered")
    assert found.propagation == syscalls.MS_SHARED | syscalls.MS_REC


def test_servers_names_become_addresses() -> None:
    def lookup(name: str) -> str:
        if name == "nosuch":
            raise OSError("Name or service not known")
        return "192.0.2.7"

    nfs = options.parse({"type": "nfs", "device": ":/x", "o": "addr=files.example,rw"})
    assert options.resolved(nfs, lookup).data == "addr=192.0.2.7"
    cifs = options.parse({"type": "cifs", "device": "//files.example/a%20b", "o": "user=x"})
    assert options.resolved(cifs, lookup).device == "//192.0.2.7/a b"
    with pytest.raises(EngineError, match="error resolving passed in network volume address"):
        options.resolved(options.parse({"type": "nfs", "device": ":/x", "o": "addr=nosuch"}), lookup)
