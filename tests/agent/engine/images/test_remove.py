"""``rmi`` and ``image prune``."""

import pytest

from agent.engine.errors import Conflict, NotFound
from agent.engine.state.records import ContainerRecord, State, Status
from tests.agent.engine.images.archives import entry, tar


def container(image, status=Status.EXITED, id_="c" * 64):
    return ContainerRecord(
        id=id_, name="c", created_ns=1, path="sh", args=(), config={}, host_config={},
        image_id=image.id, image_ref="app", chain_id=image.chain_id, state=State(status=status),
    )  # fmt: skip


@pytest.fixture
async def image(import_tar):
    return await import_tar(tar(entry("a", b"1")), "app", "1")


def left(stores):
    return [len(stores.images.list()), len(stores.layers.records), len(list(stores.content.digests()))]


async def test_it_works(stores, image):
    await stores.images.tag("app:1", "app", "2")
    assert await stores.images.remove("app:2") == [{"Untagged": "app:2"}]
    assert await stores.images.remove("app:1") == [
        {"Untagged": "app:1"}, {"Deleted": image.id}, {"Deleted": image.chain_id}
    ]  # fmt: skip
    assert left(stores) == [0, 0, 0]
    with pytest.raises(NotFound, match="No such image: app:1"):
        await stores.images.remove("app:1")


async def test_in_use(stores, image):
    await stores.containers.save(container(image))
    with pytest.raises(Conflict) as one:
        await stores.images.remove("app:1")
    assert str(one.value) == (
        'conflict: unable to remove repository reference "app:1" (must force) - container cccccccccccc is using its '
        f"referenced image {image.id[7:19]}"
    )
    with pytest.raises(Conflict, match=r"\(must be forced\) - image is being used by stopped container cccccccccccc"):
        await stores.images.remove(image.id)
    await stores.snapshots.prepare("c" * 64, image.chain_id)
    assert (await stores.images.remove("app:1", force=True))[-1] == {"Deleted": image.id}
    assert left(stores)[:2] == [0, 1], "the container stands on the layer"


async def test_running(stores, image):
    await stores.containers.save(container(image, Status.RUNNING))
    with pytest.raises(Conflict, match=r"\(cannot be forced\) - image is being used by running container"):
        await stores.images.remove(image.id, force=True)
    assert await stores.images.remove("app:1", force=True) == [{"Untagged": "app:1"}]


async def test_several_names(stores, image):
    await stores.images.tag("app:1", "other", "")
    with pytest.raises(Conflict, match=r"\(must be forced\) - image is referenced in multiple repositories"):
        await stores.images.remove(image.id)
    rows = await stores.images.remove(image.id, force=True)
    assert [next(iter(row)) for row in rows] == ["Untagged", "Untagged", "Deleted", "Deleted"]


async def test_children(stores, image):
    child = await stores.images.create_from_layers({"Cmd": ["x"]}, image, (), ["child"])
    with pytest.raises(Conflict, match=r"\(cannot be forced\) - image has dependent child images"):
        await stores.images.remove(image.id, force=True)
    assert await stores.images.remove("app:1") == [{"Untagged": "app:1"}]
    rows = await stores.images.remove("child")
    assert rows[:3] == [{"Untagged": "child:latest"}, {"Deleted": child.id}, {"Deleted": image.id}]


async def test_prune(stores, image, import_tar):
    await import_tar(tar(entry("b", b"2")))
    rows, freed = await stores.images.prune(dangling=True, matches=lambda labels, created: True)
    assert (len(rows), freed) == (2, 1)
    assert left(stores)[0] == 1
    rows, freed = await stores.images.prune(dangling=False, matches=lambda labels, created: True)
    assert (len(rows), freed) == (3, 1)


async def test_a_pull_that_goes_on_keeps_its_blobs(stores, image):
    """The lease of a pull is worth more than the last name."""
    blob = stores.layers.records.get(image.chain_id).blobs[0].digest
    with stores.images.lease() as lease:
        lease.add(image.chain_id, blob)
        await stores.images.remove("app:1")
        assert stores.layers.has(image.chain_id)
        assert stores.content.has(blob)
    rows, _ = await stores.images.prune(dangling=True, matches=lambda labels, created: True)
    assert rows == []
    assert not stores.layers.has(image.chain_id)
