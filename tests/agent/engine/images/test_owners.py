"""A new file already has an owner and a mode: what the archive says is set where that is not the same."""

import itertools
import os
import stat

import pytest

from agent.engine.images.unpack import unpack
from tests.agent.engine.images.archives import entry, folder, symlink, tar

ACL = (b"\x02\0\0\0" b"\x01\0\x07\0\xff\xff\xff\xff" b"\x02\0\x07\0\x05\0\0\0" b"\x04\0\0\0\xff\xff\xff\xff"
       b"\x10\0\0\0\xff\xff\xff\xff" b"\x20\0\0\0\xff\xff\xff\xff")  # fmt: skip
FOLDERS = {
    "plain": {},
    "somebody's": {"uid": 5, "gid": 6},
    "gives its group": {"gid": 7, "mode": 0o2775},
    "has defaults": {"pax_headers": {"SCHILY.xattr.system.posix_acl_default": ACL.decode("utf-8", "surrogateescape")}},
}
MODES = (0o644, 0o600, 0o4755, 0o2711, 0o1666, 0o000)
OWNERS = ((0, 0), (0, 3), (9, 0), (4_000_000, 8))


async def put(root, *entries, **options):
    async def chunks():
        yield tar(*entries)

    await unpack(chunks(), root, **options)


@pytest.mark.parametrize("late", [False, True], ids=["folder first", "folder last"])
@pytest.mark.parametrize("fields", FOLDERS.values(), ids=FOLDERS)
async def test_it_works(tmp_path, fields, late):
    cases = [(f"{number}", *case) for number, case in enumerate(itertools.product(MODES, OWNERS))]
    made = [entry(f"d/{name}", b"x", mode=mode, uid=uid, gid=gid, mtime=1000) for name, mode, (uid, gid) in cases]
    made += [folder(f"d/f{name}", mode=mode, uid=uid, gid=gid, mtime=1000) for name, mode, (uid, gid) in cases]
    made += [entry(f"d/f{name}/in", b"x", mode=0o640, mtime=1000) for name, _, _ in cases]
    made.append(symlink("d/link", "x"))
    own = folder("d", **{"mode": 0o755, **fields})
    await put(tmp_path, *([*made, own] if late else [own, *made]))
    for prefix in ("", "f"):
        for name, mode, owner in cases:
            info = (tmp_path / f"d/{prefix}{name}").stat()
            assert (oct(stat.S_IMODE(info.st_mode)), (info.st_uid, info.st_gid)) == (oct(mode), owner)
            assert info.st_mtime == 1000
    for name, _, _ in cases:
        info = (tmp_path / f"d/f{name}/in").stat()
        assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o640, 0, 0)
    link = (tmp_path / "d/link").lstat()
    assert (link.st_uid, link.st_gid) == (0, 0)


async def test_an_owner_for_all(tmp_path):
    await put(tmp_path, folder("d"), entry("d/f", uid=3), symlink("d/l", "f"), owner=(5, 6), whiteouts=False)
    assert {(info.st_uid, info.st_gid) for info in map(os.lstat, (tmp_path / "d").rglob("*"))} == {(5, 6)}


async def test_many_folders_in_turn(tmp_path):
    """More parents than are kept open; and one that is replaced by a link meanwhile."""
    names = [f"d{number}" for number in range(100)]
    rounds = [entry(f"{name}/{turn}", turn.encode()) for turn in "ab" for name in names]
    await put(tmp_path, *rounds, symlink("d7", "d8"), entry("d7/late", b"1"), folder("d8"), entry("d8/too", b"2"))
    assert sorted(os.listdir(tmp_path / "d9")) == ["a", "b"]
    assert (tmp_path / "d7").is_symlink()
    assert sorted(os.listdir(tmp_path / "d8")) == ["a", "b", "late", "too"]
