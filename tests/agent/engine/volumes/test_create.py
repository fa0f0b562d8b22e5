import pytest

from agent.engine.errors import Invalid, NotFound
from tests.agent.engine.volumes.bench import Bench


async def test_it_works(bench: Bench) -> None:
    made = await bench.service.create("data", labels={"a": "b"})
    assert made.mountpoint == str(bench.paths.volumes / "data" / "_data")
    assert (bench.paths.volumes / "data" / "_data").is_dir()
    assert bench.service.get("data") == made
    assert bench.actions() == [("create", "data")]


async def test_again_is_the_same(bench: Bench) -> None:
    first = await bench.service.create("data", labels={"a": "b"})
    assert await bench.service.create("data", labels={"x": "y"}) == first


async def test_without_a_name(bench: Bench) -> None:
    made = await bench.service.create()
    assert len(made.name) == 64
    assert made.anonymous


@pytest.mark.parametrize("name", ["a b", "../up", ".hidden", "-x", "a/b", "ä" * 3, "x" * 256, "a\n"])
async def test_bad_names(bench: Bench, name: str) -> None:
    with pytest.raises(Invalid, match="includes invalid characters for a local volume name"):
        await bench.service.create(name)


async def test_a_short_name(bench: Bench) -> None:
    with pytest.raises(Invalid, match="create x: volume name is too short"):
        await bench.service.create("x")


async def test_bad_options(bench: Bench) -> None:
    with pytest.raises(Invalid, match='invalid option: "nosuch"'):
        await bench.service.create("data", options={"nosuch": "1"})
    with pytest.raises(Invalid, match="absolute device"):
        await bench.service.create("data", options={"type": "none", "o": "bind", "device": "etc"})
    with pytest.raises(NotFound, match='plugin "nosuch" not found'):
        await bench.service.create("data", driver="nosuch")
    assert bench.service.list() == []


async def test_nothing_of_that_name(bench: Bench) -> None:
    with pytest.raises(NotFound, match="get nosuch: no such volume"):
        bench.service.get("nosuch")
