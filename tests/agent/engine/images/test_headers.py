"""Every format that archives of layers come in is read as GNU tar and Python read it."""

import asyncio
import hashlib
import io
import os
import subprocess
import tarfile

import pytest

from agent.engine.errors import Invalid
from agent.engine.images.unpack import unpack
from agent.engine.images.untar.headers import FILES, Entry, Headers, number
from agent.engine.images.untar.tape import BadArchive, Tape

LONG = "d" * 90 + "/" + "e" * 90 + "/" + "f" * 90


def read(data: bytes, piece: int = 1 << 16) -> list[tuple[Entry, bytes]]:
    """Every entry with what is stored of it, the bytes arriving in pieces."""
    tape = Tape((data[at : at + piece] for at in range(0, len(data), piece)), 1 << 30)
    found = [(entry, b"".join(tape.parts(entry.stored))) for entry in Headers(tape, 1 << 20)]
    assert tape.digest() == "sha256:" + hashlib.sha256(data).hexdigest()
    return found


def member(name: str, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


CAST = [
    member("plain", size=5, mode=0o4755, uid=1000, gid=7, mtime=1700000000),
    member("ünïcode", size=1),
    member(LONG, size=700, uid=3_000_000, gid=0o7777777 + 5),
    member("folder/", type=tarfile.DIRTYPE, mode=0o1777),
    member("link", type=tarfile.SYMTYPE, linkname=LONG),
    member("hard", type=tarfile.LNKTYPE, linkname="plain", size=0),
    member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    member("exact", size=0, mtime=1700000000.5),
    member("old", size=0, mtime=-5),
]


@pytest.mark.parametrize("piece", [1, 511, 512, 1 << 16])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_it_works(form, piece):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for each in CAST:
            archive.addfile(each, io.BytesIO(b"x" * each.size))
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        expected = archive.getmembers()
    found = read(out.getvalue(), piece)
    assert len(found) == len(expected) == len(CAST)
    for (entry, content), other in zip(found, expected, strict=True):
        assert os.fsdecode(entry.name).rstrip("/") == other.name
        assert (os.fsdecode(entry.link), entry.kind) == (other.linkname, other.type)
        assert (entry.mode, entry.uid, entry.gid, entry.size) == (other.mode, other.uid, other.gid, other.size)
        assert entry.mtime == int(other.mtime * 10**9)
        assert content == b"x" * other.size
        assert entry.device == ((other.devmajor, other.devminor) if other.isdev() else (0, 0))


def test_prefix_of_ustar():
    name = "p" * 120 + "/" + "n" * 90
    found = read(member(name).tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    assert found[0][0].name == name.encode()


def test_global_headers_change_nothing():
    global_ = tarfile.TarInfo.create_pax_global_header({"path": "evil", "uid": "7"})
    assert [entry.name for entry, _ in read(global_ + member("a").tobuf() + bytes(1024))] == [b"a"]


@pytest.mark.parametrize(
    "options",
    [("--format=gnu",), ("--format=posix", "--sparse-version=0.0"), ("--format=posix", "--sparse-version=0.1"),
     ("--format=posix", "--sparse-version=1.0")],
    ids=["gnu", "0.0", "0.1", "1.0"],
)  # fmt: skip
def test_files_with_holes(tmp_path, options):
    source = tmp_path / "from"
    source.mkdir()
    (tmp_path / "to").mkdir()
    with (source / "holes").open("wb") as file:
        for place in range(1, 60):
            file.seek(place * 1_000_000)
            file.write(b"%d" % place * 5000)
        file.truncate(70_000_000)
    (source / "next").write_bytes(b"next")
    whole = subprocess.run(["tar", "-cS", *options, "-C", source, "holes", "next"], capture_output=True, check=True)
    assert len(whole.stdout) < 10_000_000

    async def chunks():
        yield whole.stdout

    done = asyncio.run(unpack(chunks(), tmp_path / "to"))
    assert (tmp_path / "to/holes").read_bytes() == (source / "holes").read_bytes()
    assert (tmp_path / "to/next").read_bytes() == b"next"
    assert (tmp_path / "to/holes").stat().st_blocks * 512 < 20_000_000
    assert done.size == 70_000_004


@pytest.mark.parametrize(
    ("raw", "value"),
    [(b"0000644\0", 0o644), (b"   644 \0", 0o644), (bytes(8), 0), (b"\x80" + bytes(10) + b"\x09", 9),
     (b"\xff" * 12, -1), (b"77777777", 0o77777777)],
)  # fmt: skip
def test_numbers(raw, value):
    assert number(raw) == value


@pytest.mark.parametrize("raw", [b"0o644\0\0\0", b"-1\0\0\0\0\0\0", b"99\0\0\0\0\0\0", b"1_0\0\0\0\0\0", b"x" * 8])
def test_no_numbers(raw):
    with pytest.raises(BadArchive):
        number(raw)


@pytest.mark.parametrize(
    "record", [b"9 path\n12", b"5 a=b", b"99 path=x\n", b"0 path=x\n", b"8 =value\n", b"x path=y\n", b"12 size=1_00\n"]
)
async def test_malformed_records(tmp_path, record):
    header = member("././@PaxHeader", type=tarfile.XHDTYPE, size=len(record)).tobuf()
    data = header + record.ljust(512, b"\0") + member("a").tobuf() + bytes(1024)

    async def chunks():
        yield data

    with pytest.raises(Invalid):
        await unpack(chunks(), tmp_path)


def test_every_type_is_known():
    assert {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE} <= FILES
