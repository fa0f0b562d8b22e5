"""Pulls from the fake registry, and what must be left of one that was refused: nothing."""

import pytest

from agent.engine.errors import Invalid
from tests.agent.engine.images.archives import entry, tar

ONE, TWO = tar(entry("one", b"1" * 5000)), tar(entry("two", b"2" * 5000))


async def pull(stores, fake, ref=":1", auth=None, lines=None):
    report = (lambda _: None) if lines is None else lines.append
    return await stores.images.pull(f"{fake.address}/app{ref}", "", auth, report)


async def refused(stores, fake, kind=Invalid, ref=":1", layers=0, auth=None) -> str:
    with pytest.raises(kind) as caught:
        await pull(stores, fake, ref, auth)
    assert stores.images.list() == []
    assert len(stores.layers.records) == layers
    assert list((stores.root / "tmp/layers").iterdir()) == []
    assert list(stores.content.incoming.iterdir()) == []
    return str(caught.value)
