"""Make an image of what a container, or a build step, has written."""

import time
from collections.abc import Iterable, Sequence

from agent.engine.errors import Invalid
from agent.engine.images import configs
from agent.engine.images.configs import Json
from agent.engine.images.ops import Ops
from agent.engine.images.reference import Reference
from agent.engine.images.store import ImageRecord
from agent.engine.kernel.failpoints import failpoint
from agent.engine.state.records import ContainerRecord
from agent.engine.storage.layers import LayerRef


async def commit(
    ops: Ops,
    container: ContainerRecord,
    *,
    config: Json,
    name: Reference | None,
    author: str = "",
    comment: str = "",
) -> ImageRecord:
    """An image from a container's writable layer. The caller has paused the container, or knows better.

    Args:
        config: what containers of the new image take from it.

    Raises:
        NoSpace, System: no image was made.
    """
    parent = ops.store.images.find(container.image_id)
    layer = None if await ops.snapshots.clean(container.id) else await ops.snapshots.commit(container.id)
    with ops.leases.hold() as lease:
        made = configs.derive(
            parent.config if parent else None,
            config=config,
            created_ns=time.time_ns(),
            diff_id=layer.diff_id if layer else "",
            created_by=" ".join([container.path, *container.args]).strip(),
            comment=comment,
            author=author,
            container=container.id,
            container_config=container.config,
        )
        record = await ops.create(made, parent=parent, names=[name.with_default_tag()] if name else [], lease=lease)
    failpoint("commit.named")
    if name:
        ops.tell("tag", record.id, name.with_default_tag().familiar, record)
    attributes = container.event_attributes(
        comment=comment, imageID=record.id, imageRef=name.with_default_tag().familiar if name else ""
    )
    ops.events.publish("container", "commit", container.id, attributes)
    return record


async def create_from_layers(
    ops: Ops,
    config: Json,
    parent: ImageRecord | None,
    layers: Sequence[LayerRef],
    names: Iterable[Reference],
    *,
    created_by: str = "",
    comment: str = "",
    author: str = "",
    container: str = "",
    container_config: Json | None = None,
) -> ImageRecord:
    """An image on top of another: no layer for a step that changed no file, or one.

    Raises:
        Invalid: more layers than one history entry tells of.
    """
    if len(layers) > 1:
        raise Invalid("one step makes one layer")
    made = configs.derive(
        parent.config if parent else None,
        config=config,
        created_ns=time.time_ns(),
        diff_id=layers[0].diff_id if layers else "",
        created_by=created_by,
        comment=comment,
        author=author,
        container=container,
        container_config=container_config,
    )
    with ops.leases.hold() as lease:
        return await ops.create(made, parent=parent, names=names, lease=lease)
