"""RUN --mount as values."""

import pytest

from agent.engine.build.mounts import Mount, parse_mount
from agent.engine.errors import Invalid


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("target=/ctx", Mount(target="/ctx")),
        ("from=a,source=/s,target=/t,rw", Mount(origin="a", source="/s", target="/t", readonly=False)),
        (
            "type=cache,id=x,dst=/c,sharing=locked",
            Mount("cache", target="/c", readonly=False, cache_id="x", sharing="locked"),
        ),
        ("type=tmpfs,target=/t,size=2m", Mount("tmpfs", target="/t", readonly=False, size=2 << 20)),
        ("type=secret,id=s,mode=0440,required", Mount("secret", cache_id="s", mode=0o440, required=True)),
    ],
)
def test_it_works(text: str, mount: Mount) -> None:
    assert parse_mount(text, lambda word: word) == mount


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("type=nope,target=/x", 'unsupported mount type "nope"'),
        ("target=/x,size=1", "unexpected key 'size' for mount type 'bind'"),
        ("target=/x,bind-propagation=shared", "unexpected key 'bind-propagation'"),
        ("type=tmpfs", "requires a target"),
        ("target", "must be a key=value pair"),
    ],
)
def test_bad_input(text: str, error: str) -> None:
    with pytest.raises(Invalid, match=error):
        parse_mount(text, lambda word: word)
