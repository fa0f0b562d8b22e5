"""Lists, filters, history, inspect."""

import pytest

from agent.engine.errors import Invalid, NotFound
from tests.agent.engine.images.archives import entry, tar

V41, V47 = (1, 41), (1, 47)


@pytest.fixture
async def cast(stores, import_tar):
    """Three images: one with two names, one with a label, one without a name."""
    await import_tar(tar(entry("a", b"1")), "app", "1", {"Cmd": ["sh"]})
    await stores.images.tag("app:1", "example.org:5000/team/app", "2")
    await stores.images.create_from_layers(
        {"Labels": {"x": "y"}}, stores.images.resolve("app:1"), (), ["labelled"], created_by="step"
    )
    await import_tar(tar(entry("b", b"22")))


def names(images):
    return sorted(tag for image in images for tag in image.repo_tags or ["<none>"])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["<none>", "app:1", "example.org:5000/team/app:2", "labelled:latest"]),
        ({"dangling": ["true"]}, ["<none>"]),
        ({"dangling": ["0"]}, ["app:1", "example.org:5000/team/app:2", "labelled:latest"]),
        ({"label": ["x=y"]}, ["labelled:latest"]),
        ({"label": ["x", "z"]}, []),
        ({"reference": ["app"]}, ["app:1"]),
        ({"reference": ["app:*", "lab*"]}, ["app:1", "labelled:latest"]),
        ({"reference": ["*"]}, ["app:1", "labelled:latest"]),
        ({"reference": ["example.org:5000/*/app"]}, ["example.org:5000/team/app:2"]),
        ({"since": ["app:1"]}, ["<none>", "labelled:latest"]),
        ({"before": ["labelled"]}, ["app:1", "example.org:5000/team/app:2"]),
    ],
)
async def test_filters(stores, cast, filters, expected):
    assert names(stores.images.select(filters, all_=False)) == expected


async def test_bad_filters(stores, cast):
    with pytest.raises(NotFound, match="No such image: nosuch:latest"):
        stores.images.select({"since": ["nosuch"]}, all_=False)
    with pytest.raises(Invalid):
        stores.images.select({"dangling": ["maybe"]}, all_=False)
    with pytest.raises(Invalid, match="syntax error in pattern"):
        stores.images.select({"reference": ["["]}, all_=False)


async def test_rows(stores, cast):
    unnamed = next(image for image in stores.images.list() if not image.repo_tags)
    old, new = stores.images.rows([unnamed], V41)[0], stores.images.rows([unnamed], V47)[0]
    assert (old["RepoTags"], old["RepoDigests"], old["VirtualSize"]) == (["<none>:<none>"], ["<none>@<none>"], 2)
    assert (new["RepoTags"], new["RepoDigests"], "VirtualSize" in new) == ([], [], False)
    shared = stores.images.rows(stores.images.list(), V47, shared=True, containers=True)
    assert sorted(row["SharedSize"] for row in shared) == [0, 1, 1]
    assert {row["Containers"] for row in shared} == {0}
    assert stores.images.disk_usage(V47).layers_size == 3


async def test_history(stores, cast):
    rows = stores.images.history("labelled")
    assert [(row["CreatedBy"], row["Size"], row["Tags"]) for row in rows] == [
        ("step", 0, ["labelled:latest"]), ("", 1, ["app:1", "example.org:5000/team/app:2"])
    ]  # fmt: skip
    assert rows[1]["Comment"] == "Imported from -"
    assert rows[1]["Id"] == stores.images.resolve("app:1").id


async def test_inspect(stores, cast):
    shape = stores.images.inspect("app:1", V41)
    assert shape["RepoTags"] == ["app:1", "example.org:5000/team/app:2"]
    assert shape["RepoDigests"] == []
    assert shape["Config"]["Cmd"] == ["sh"]
    assert shape["ContainerConfig"]["Env"] is None
    assert shape["VirtualSize"] == shape["Size"] == 1
    assert not {"VirtualSize", "ContainerConfig", "Container"} & set(stores.images.inspect("app:1", V47))


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("nosuch", "No such image: nosuch:latest"),
        ("nosuch:x", "No such image: nosuch:x"),
        ("docker.io/library/nosuch", "No such image: nosuch:latest"),
        ("sha256:0000", "No such image: sha256:0000"),
        ("0" * 64, f"No such image: {'0' * 64}"),
    ],
)
async def test_not_found(stores, cast, ref, message):
    with pytest.raises(NotFound) as caught:
        stores.images.resolve(ref)
    assert str(caught.value) == message


async def test_names_that_find_it(stores, cast):
    image = stores.images.resolve("app:1")
    for ref in ("docker.io/library/app:1", "library/app:1", image.id, image.id[7:], image.id[7:20], image.id[:20]):
        assert stores.images.resolve(ref).id == image.id
