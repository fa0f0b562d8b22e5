"""Mount points taken over from another container."""

import pytest

from agent.engine.containers.options.mounts import collect, inherited
from agent.engine.errors import Invalid
from agent.engine.state.records import MountPoint

OTHERS = {
    "a": (
        MountPoint("volume", "", "/v", "vol", "local", copy_up=True, anonymous=True),
        MountPoint("bind", "/srv", "/srv"),
        MountPoint("tmpfs", "", "/t"),
    ),
    "b": (MountPoint("volume", "", "/v", "second", "local"),),
}


def test_it_works() -> None:
    found = inherited(["a", "b"], OTHERS.__getitem__)
    assert [(point.destination, point.name, point.rw) for point in found] == [
        ("/v", "second", True),
        ("/srv", "", True),
    ]
    assert not any(point.copy_up or point.anonymous for point in found)


def test_read_only() -> None:
    assert not any(point.rw for point in inherited(["a:ro"], OTHERS.__getitem__))
    with pytest.raises(Invalid, match="invalid mode: x"):
        inherited(["a:x"], OTHERS.__getitem__)


def test_what_the_client_names_comes_first() -> None:
    points = collect(
        {"Binds": ["mine:/v"]}, {"Volumes": {"/srv": {}, "/new": {}}}, others=inherited(["a"], OTHERS.__getitem__)
    )
    assert [(point.destination, point.type) for point in points] == [
        ("/v", "volume"), ("/srv", "bind"), ("/new", "volume"),
    ]  # fmt: skip
    assert points[0].name == "mine"
