"""What an archive may do to a host: nothing. Attacks U1–U9 on the unpacker itself."""

import asyncio
import gzip
import io
import os
import resource
import stat
import tarfile
import threading
import time
from pathlib import Path

import pytest
import zstandard

from agent.engine.errors import EngineError, Invalid, NoSpace
from agent.engine.images.unpack import Limits, Unpacked, unpack
from tests.agent.engine.images.archives import entry, folder, hardlink, symlink, tar

OPAQUE = "trusted.overlay.opaque"
SMALL = Limits(bytes=64 << 20, entries=2000)


class Box:
    """A root to unpack into, beside a secret that no entry may reach or change."""

    def __init__(self, base: Path) -> None:
        self.base, self.root = base, base / "root"
        self.root.mkdir()
        (base / "host").mkdir()
        self.secret = base / "host" / "secret"
        self.secret.write_text("secret")
        self.before = self._seen()

    async def put(self, *entries, data: bytes | None = None, **options) -> Unpacked:
        async def chunks():
            whole = tar(*entries) if data is None else data
            for start in range(0, len(whole), 1 << 16):
                yield whole[start : start + (1 << 16)]

        try:
            return await unpack(chunks(), self.root, **options)
        finally:
            assert self._seen() == self.before, "something outside of the root changed"

    async def refused(self, *entries, **options) -> str:
        with pytest.raises(Invalid) as caught:
            await self.put(*entries, **options)
        return str(caught.value)

    def tree(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*"))

    def _seen(self) -> list[tuple]:
        found = []
        for path in sorted([self.base, *self.base.glob("host/**/*"), *self.base.glob("host")]):
            info = path.lstat()
            found.append((str(path), info.st_mode, info.st_uid, info.st_nlink, info.st_size, info.st_mtime_ns))
        return [*found, ("names", *sorted(os.listdir(self.base)))]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


async def test_it_works(box):
    done = await box.put(folder("a", mode=0o750, uid=5, gid=6), entry("a/b", b"text", mode=0o640, uid=7, mtime=1000))
    info = (box.root / "a/b").stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode), info.st_mtime, done.size, done.entries) == (7, 0o640, 1000, 4, 2)
    assert ((box.root / "a").stat().st_gid, stat.S_IMODE((box.root / "a").stat().st_mode)) == (6, 0o750)


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "../../../../../../tmp/evil", ""])
async def test_U1_names_that_lead_out(box, name):
    assert "invalid name" in await box.refused(entry(name, b"x"))
    assert box.tree() == []


async def test_U1_names_that_stay(box):
    await box.put(folder("."), folder("./"), entry("/abs", b"1"), entry("a/../b", b"2"), entry("./c//d", b"3"))
    assert box.tree() == ["abs", "b", "c", "c/d"]


async def test_U1_nul_and_length(box):
    assert "invalid name" in await box.refused(entry("x", b"", pax_headers={"path": "a\0b"}))
    assert "name too long" in (await box.refused(entry("n" * 300))).lower()
    assert "name too long" in (await box.refused(entry("/".join(["d" * 100] * 50)))).lower()


async def test_U1_invalid_utf8_is_kept(box):
    await box.put(entry(os.fsdecode(b"f\xff\xfe"), b"x"))
    assert os.listdir(os.fsencode(box.root)) == [b"f\xff\xfe"]


async def test_U2_links_lead_to_the_images_root(box):
    host = str(box.base / "host")
    await box.put(symlink("d", host), symlink("e", "../../.."), symlink("f", "e"), folder("inner"))
    for name in ("d/f1", "e/inner/f2", "f/inner/f3"):
        try:
            await box.put(entry(name, b"x"))
        except Invalid:
            continue
    assert (box.root / "inner/f2").read_bytes() == b"x"
    assert (box.root / "inner/f3").read_bytes() == b"x"


async def test_U2_absolute_link_to_a_folder_of_the_image(box):
    await box.put(folder("usr"), folder("usr/lib"), symlink("lib", "/usr/lib"), entry("lib/so", b"x"))
    assert (box.root / "usr/lib/so").read_bytes() == b"x"


async def test_U2_link_loop(box):
    await box.refused(symlink("a", "b"), symlink("b", "a"), entry("a/x"))


async def test_U2_link_through_proc(box):
    await box.put(symlink("p", "/proc/self/root"), symlink("q", "/proc/1/cwd"))
    for name in ("p/tmp/evil", "q/evil"):
        await box.refused(entry(name, b"x"))
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize("target", ["/etc/shadow", "../../host/secret", "later", "absent", ".", "proc/self/environ"])
async def test_U3_hardlinks_out_or_nowhere(box, target):
    text = await box.refused(hardlink("link", target), entry("later", b"x"))
    assert "invalid" in text
    assert box.tree() == []


async def test_U3_hardlink_through_a_link(box):
    await box.put(symlink("d", str(box.base / "host")))
    await box.refused(hardlink("x", "d/secret"))
    assert box.secret.stat().st_nlink == 1


async def test_U3_hardlink_to_a_symlink_is_the_link(box):
    await box.put(symlink("s", str(box.secret)), hardlink("h", "s"))
    assert (box.root / "h").readlink() == box.secret
    assert box.secret.stat().st_nlink == 1


async def test_U3_hardlink(box):
    await box.put(entry("a", b"x"), hardlink("b", "a"), hardlink("c", "/a"))
    assert (box.root / "a").stat().st_nlink == 3


async def test_U4_modes_and_owners_stay_on_the_link(box):
    await box.put(
        entry("victim", b"x", mode=0o600),
        entry("l", type=tarfile.SYMTYPE, linkname="victim", mode=0o4777, uid=7,
              pax_headers={"SCHILY.xattr.user.x": "1"}),
        entry("m", type=tarfile.SYMTYPE, linkname=str(box.secret), mode=0o4777, uid=7),
    )  # fmt: skip
    info = (box.root / "victim").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, os.listxattr(box.root / "victim")) == (0o600, 0, [])
    assert (box.root / "l").lstat().st_uid == 7


async def test_U5_whiteouts(box):
    await box.put(entry(".wh.absent"), entry("d/.wh..wh..opq"), entry("d/x", b"1"), folder("e"), entry("e/y"),
                  entry("e/.wh..wh..opq"))  # fmt: skip
    info = (box.root / "absent").lstat()
    assert stat.S_ISCHR(info.st_mode)
    assert info.st_rdev == 0
    assert os.getxattr(box.root / "d", OPAQUE) == os.getxattr(box.root / "e", OPAQUE) == b"y"
    assert box.tree() == ["absent", "d", "d/x", "e", "e/y"]


async def test_U5_whiteout_and_the_same_name_again(box):
    await box.put(entry(".wh.f"), entry("f", b"new"), entry("g", b"new"), entry(".wh.g"), entry(".wh.d"),
                  folder("d"), entry("d/x"), entry(".wh.i"), entry("i/x"))  # fmt: skip
    assert (box.root / "f").read_bytes() == (box.root / "g").read_bytes() == b"new"
    assert os.getxattr(box.root / "d", OPAQUE) == os.getxattr(box.root / "i", OPAQUE) == b"y"
    assert box.tree() == ["d", "d/x", "f", "g", "i", "i/x"]


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", ".wh..wh.", ".wh..wh.x", ".wh.a/b", "d/.wh..."])
async def test_U5_bad_whiteouts(box, name):
    assert "invalid whiteout" in await box.refused(entry(name))
    assert box.tree() in ([], ["d"])


async def test_U5_not_a_layer(box):
    await box.put(entry(".wh.f", b"x"), whiteouts=False)
    assert (box.root / ".wh.f").read_bytes() == b"x"


@pytest.mark.parametrize(
    "key", [OPAQUE, "trusted.overlay.redirect", "trusted.overlay.metacopy", "trusted.x", "user.overlay.opaque"]
)
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
async def test_U6_overlays_own_attributes(box, key, kind):
    made = entry("f", type=kind, linkname="x", pax_headers={f"SCHILY.xattr.{key}": "y"})
    assert "not allowed" in await box.refused(made)
    assert not (box.root / "f").is_dir() or OPAQUE not in os.listxattr(box.root / "f")


async def test_U6_capability_kept_label_dropped(box):
    capability = b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    headers = {
        "SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape"),
        "SCHILY.xattr.security.selinux": "system_u:object_r:shadow_t",
        "SCHILY.xattr.user.note": "kept",
    }
    await box.put(entry("ping", b"x", mode=0o755, uid=1, pax_headers=headers))
    assert os.getxattr(box.root / "ping", "security.capability") == capability
    assert os.getxattr(box.root / "ping", "user.note") == b"kept"
    assert "security.selinux" not in os.listxattr(box.root / "ping")


async def test_U6_attribute_too_large(box):
    await box.refused(entry("f", pax_headers={"SCHILY.xattr.user.x": "y" * (1 << 20)}))
    assert "too large" in await box.refused(entry("g", pax_headers={"SCHILY.xattr.user.x": "y" * 70_000}))


async def test_U7_last_wins(box):
    target = str(box.secret)
    await box.put(entry("a", b"1"), symlink("a", target), entry("a", b"3"), folder("b"), entry("b/x"), entry("b", b"f"),
                  entry("c", b"f"), folder("c"), entry("c/y", b"1"), folder("e"), symlink("e", target), folder("e"),
                  entry("s", b"x"), hardlink("s2", "s"), entry("s2", b"other"))  # fmt: skip
    assert (box.root / "a").read_bytes() == b"3"
    assert not (box.root / "a").is_symlink()
    assert (box.root / "b").read_bytes() == b"f"
    assert (box.root / "s").read_bytes() == b"x"
    assert box.tree() == ["a", "b", "c", "c/y", "e", "s", "s2"]


async def test_U7_entry_under_a_file(box):
    await box.refused(entry("f", b"x"), entry("f/g", b"y"))


async def test_U7_folders_kept_on_request(box):
    await box.put(folder("d"), entry("d/x"), entry("f"))
    assert "cannot overwrite directory" in await box.refused(entry("d", b"x"), keep_folders=True)
    assert "cannot overwrite non-directory" in await box.refused(folder("f"), keep_folders=True)
    assert box.tree() == ["d", "d/x", "f"]


async def test_U8_nodes_and_bits(box):
    await box.put(
        entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
        entry("pipe", type=tarfile.FIFOTYPE),
        entry("su", b"x", mode=0o4755, uid=3),
        entry("sg", b"x", mode=0o2755, gid=3),
        folder("t", mode=0o1777),
    )  # fmt: skip
    assert (box.root / "null").lstat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISBLK((box.root / "disk").lstat().st_mode)
    assert stat.S_ISFIFO((box.root / "pipe").lstat().st_mode)
    modes = [stat.S_IMODE((box.root / name).stat().st_mode) for name in ("su", "sg", "t")]
    assert modes == [0o4755, 0o2755, 0o1777]


async def test_U8_device_out_of_range(box):
    for major, minor in ((1 << 20, 0), (0, 1 << 20), (4096, 3)):
        made = tarfile.TarInfo("dev")
        made.type, made.devmajor, made.devminor = tarfile.CHRTYPE, major, minor
        data = made.tobuf(tarfile.GNU_FORMAT)
        assert "out of range" in await box.refused(data=data + b"\0" * 1024)


async def test_U8_unknown_type(box):
    assert "unhandled" in await box.refused(entry("x", type=b"Z"))


def zeros(size: int) -> bytes:
    """A tar of one file of zeros, packed."""
    out = io.BytesIO()
    member = tarfile.TarInfo("zeros")
    member.size = size
    packer = zstandard.ZstdCompressor().compressobj()
    out.write(packer.compress(member.tobuf(tarfile.GNU_FORMAT)))
    piece = b"\0" * (1 << 20)
    for _ in range(size >> 20):
        out.write(packer.compress(piece))
    out.write(packer.flush())
    return out.getvalue()


async def test_U9_bomb_stops_at_the_cap(box):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "larger than" in await box.refused(data=zeros(256 << 20), limits=SMALL)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    assert sum(path.stat().st_blocks for path in box.root.rglob("*")) * 512 <= SMALL.bytes


async def test_U9_bomb_after_the_last_entry(box):
    data = gzip.compress(tar(entry("a")) + b"\0" * (80 << 20), 1)
    assert "larger than" in await box.refused(data=data, limits=SMALL)


async def test_U9_sparse_of_eight_exbibytes(box):
    headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "s",
        "GNU.sparse.realsize": str(8 << 60),
    }
    assert "larger than" in await box.refused(entry("s", b"0\n", pax_headers=headers), limits=SMALL)


async def test_U9_sparse_claims_no_more_memory(box):
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s", "GNU.sparse.realsize": "9"}
    await box.refused(entry("s", b"999999999999\n", pax_headers=headers), limits=SMALL)


async def test_U9_too_many_entries(box):
    assert "more than 2000 entries" in await box.refused(*(entry(f"f{n}") for n in range(2100)), limits=SMALL)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
async def test_U9_huge_header(box, kind):
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = kind, 1 << 30
    assert "a header of" in await box.refused(data=header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096, limits=SMALL)


async def test_U9_headers_without_end(box):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4
    await box.refused(data=(header.tobuf(tarfile.GNU_FORMAT) + b"abc\0" + b"\0" * 508) * 5000, limits=SMALL)


async def test_U9_huge_window(box):
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=30)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = packer.compress(tar(entry("a", b"x" * 100))) + packer.flush()
    await box.refused(data=data)


async def test_U9_tar_in_tar_is_a_file(box):
    await box.put(entry("inner.tar", tar(entry("../x", b"y"))))
    assert box.tree() == ["inner.tar"]


async def test_U9_disk_nearly_full(box):
    with pytest.raises(NoSpace):
        await box.put(entry("a"), limits=Limits(floor=100))


DAMAGED = {
    "nonsense": b"nonsense" * 100,
    "cut gzip": gzip.compress(tar(entry("a", b"x" * 9000)))[:-30],
    "cut tar": tar(entry("a", b"x" * 2000), end=False)[:-600],
    "cut header": tar(entry("a"), end=False) + tar(entry("b"), end=False)[:100],
    "junk after gzip": gzip.compress(tar(entry("a"))) + b"junk",
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
async def test_damaged(box, data):
    await box.refused(data=data)


async def test_cancelled(box):
    """The child goes with its caller."""
    before = threading.active_count()
    reading, writing = os.pipe()
    task = asyncio.create_task(unpack(reading, box.root))
    await asyncio.sleep(0.3)
    task.cancel()
    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 20
    os.close(reading)
    os.close(writing)
    assert threading.active_count() <= before + 1


async def test_source_that_breaks(box):
    async def chunks():
        yield tar(entry("a", b"x"))[:512]
        raise EngineError("gone")

    with pytest.raises(EngineError, match="gone"):
        await unpack(chunks(), box.root)
