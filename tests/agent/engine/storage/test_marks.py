"""Whiteouts as files: what layers show is the same as with overlay's own marks."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.engine.errors import Invalid
from agent.engine.images.unpack import unpack
from agent.engine.storage.difftar import write_tar
from agent.engine.storage.marks import FILES, KERNEL, Marks
from agent.engine.storage.view import listed
from tests.agent.engine.images.archives import entry, folder, hardlink, symlink, tar

BOTTOM = (
    folder("d"), entry("d/a", b"a"), entry("d/b", b"b"), folder("d/in"), entry("d/in/x", b"x"), entry("f", b"f"),
    folder("e"), entry("e/old", b"1"), symlink("link", "d"), folder("g"), entry("g/kept", b"k"),
)  # fmt: skip
LAYERS = {
    "nothing": (entry("new", b"n"),),
    "a name": (entry("d/.wh.a"), entry(".wh.f"), entry(".wh.link")),
    "a folder": (entry(".wh.d"),),
    "what is not there": (entry(".wh.none"), folder("d"), entry("d/.wh.none")),
    "all of a folder": (folder("d"), entry("d/.wh..wh..opq"), entry("d/c", b"c")),
    "all of it, said last": (folder("d"), entry("d/c", b"c"), entry("d/.wh..wh..opq")),
    "removed and made again": (entry(".wh.d"), folder("d"), entry("d/new", b"n"), entry(".wh.f"), entry("f", b"again")),
    "made and removed": (folder("d"), entry("d/new", b"n"), entry(".wh.d"), entry("f", b"again"), entry(".wh.f")),
    "a file for a folder": (entry(".wh.d"), entry("d", b"file"), entry("e", b"file")),
    "a folder for a file": (folder("f"), entry("f/in", b"i"), entry(".wh.link"), folder("link")),
    "below a whiteout": (entry(".wh.d"), entry("d/in/deep", b"d")),
    "through a link": (entry("link/.wh.a"), entry("d/a", b"again"), entry("link/.wh.b")),
    "a second name": (entry(".wh.f"), entry("n", b"n"), hardlink("f", "n")),
}


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def filled(path: Path, archive: bytes, marks: Marks) -> Path:
    path.mkdir()
    await unpack(chunks(archive), path, marks_as_files=marks.files)
    return path


def shown(folders: list[Path], marks: Marks, prefix: str = "") -> dict[str, object]:
    """Path → content, or None for a folder."""
    found: dict[str, object] = {}
    for name, seen in listed(folders, marks).items():
        path = f"{prefix}/{name}"
        if stat.S_ISDIR(seen.info.st_mode):
            found |= {path: None, **shown(list(seen.folders), marks, path)}
        else:
            found[path] = seen.path.readlink() if seen.path.is_symlink() else seen.path.read_bytes()
    return found


@pytest.fixture(scope="module")
def bottom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lowest layer, which has no marks."""
    return asyncio.run(filled(tmp_path_factory.mktemp("layers") / "bottom", tar(*BOTTOM), KERNEL))


class Sink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes, /) -> None:
        self.data += data


@pytest.mark.parametrize("name", LAYERS)
async def test_both_marks_show_the_same(tmp_path: Path, bottom: Path, name: str) -> None:
    # The link of a lower layer is not there while a layer is unpacked.
    own = (symlink("link", "d"), folder("d")) if name == "through a link" else ()
    views = []
    for marks in (KERNEL, FILES):
        top = await filled(tmp_path / f"top-{marks.files}", tar(*own, *LAYERS[name]), marks)
        views.append(shown([top, bottom], marks))
        again = Sink()
        write_tar(top, again, marks)
    # … and after the layer was made a tar again.
    views.append(shown([await filled(tmp_path / "again", again.data, KERNEL), bottom], KERNEL))
    assert views[0] == views[1] == views[2]
    assert views[0] != shown([bottom], KERNEL) or name == "what is not there"


async def test_U5_marks_as_files_are_no_door(tmp_path: Path) -> None:
    for number, bad in enumerate((".wh..", ".wh...", ".wh..wh.", ".wh.a/b", ".wh..wh.x")):
        with pytest.raises(Invalid, match="invalid whiteout"):
            await filled(tmp_path / str(number), tar(entry(bad)), FILES)
    with pytest.raises(Invalid, match="invalid hardlink"):
        await filled(tmp_path / "link", tar(entry(".wh.x"), hardlink("y", ".wh.x")), FILES)
