"""Take names off images, and images away: ``rmi`` and ``image prune``.

Source: moby ``daemon/images/image_delete.go`` and ``image_prune.go``. By a name: the name goes, and the image with its
last name. By an id: the image goes, if it has one name at most. A running container or a child image forbids it, a
stopped container or a second name unless forced.
"""

from collections.abc import Callable

from agent.engine.errors import Conflict, NotFound
from agent.engine.images import reference
from agent.engine.images.ops import Ops
from agent.engine.images.reference import Reference
from agent.engine.images.shapes import unix_seconds
from agent.engine.images.store import ImageRecord
from agent.engine.state.records import ContainerRecord
from agent.engine.storage.gc import Collected, collect

Rows = list[dict[str, str]]


def short(id_: str) -> str:
    """An id as messages show it."""
    return id_.removeprefix("sha256:")[:12]


async def remove(ops: Ops, ref: str, *, force: bool = False, prune: bool = True) -> Rows:
    """Untag, and delete what has no name left.

    Returns:
        Docker's rows, ``{"Untagged": …}`` and ``{"Deleted": …}``.

    Raises:
        NotFound: no such image.
        Conflict: it is in use.
    """
    async with ops.changing:
        return (await _remove(ops, ref, force=force, prune=prune))[0]


async def _remove(ops: Ops, ref: str, *, force: bool, prune: bool) -> tuple[Rows, int]:
    image = ops.store.find(ref)
    names = ops.store.names_of(image.id)
    rows: Rows = []
    quiet = False
    if not _is_id(image.id, ref):
        user = _user(ops, image.id)
        if not force and user and _one_name(names):
            raise Conflict(
                f'conflict: unable to remove repository reference "{ref}" (must force) - '
                f"container {short(user.id)} is using its referenced image {short(image.id)}"
            )
        name = reference.parse(ref).with_default_tag()
        name = name.with_digest(name.digest) if name.digest else name
        await _untag(ops, image, name, rows)
        rest = ops.store.names_of(image.id)
        if name.tag and not any(other.tag and other.name == name.name for other in rest):
            for other in rest:
                if other.name == name.name:
                    await _untag(ops, image, other, rows)
            rest = ops.store.names_of(image.id)
        if rest:
            return rows, 0
        quiet = True
    elif _one_name(names):
        _check(ops, image, force=force, names=False)
        for name in names:
            await _untag(ops, image, name, rows)
    freed = await _delete(ops, image, rows, force=force, prune=prune, quiet=quiet)
    return rows, freed


async def _delete(ops: Ops, image: ImageRecord, rows: Rows, *, force: bool, prune: bool, quiet: bool) -> int:
    try:
        _check(ops, image, force=force, names=True)
    except Conflict:
        if quiet and (ops.store.names_of(image.id) or _user(ops, image.id) or ops.store.children(image.id)):
            return 0
        raise
    for name in ops.store.names_of(image.id):
        await _untag(ops, image, name, rows)
    await ops.store.images.delete(image.id)
    # Without its labels: dockerd looks for them when they are gone.
    ops.tell("delete", image.id, image.id)
    rows.append({"Deleted": image.id})
    gone = await _collect(ops, image)
    rows += [{"Deleted": chain_id} for chain_id in gone.chains]
    parent = ops.store.images.find(image.parent) if image.parent else None
    if prune and parent is not None and not ops.store.names_of(parent.id):
        return gone.bytes + await _delete(ops, parent, rows, force=False, prune=True, quiet=True)
    return gone.bytes


async def _collect(ops: Ops, image: ImageRecord) -> Collected:
    candidates = [image.id, *image.manifests, *image.chains]
    return await collect(ops.content, ops.layers, ops.leases, ops.live, candidates)


async def _untag(ops: Ops, image: ImageRecord, name: Reference, rows: Rows) -> None:
    await ops.store.names.delete(str(name))
    ops.tell("untag", image.id, image.id, image)
    rows.append({"Untagged": name.familiar})


def _check(ops: Ops, image: ImageRecord, *, force: bool, names: bool) -> None:
    """
    Raises:
        Conflict: see the module.
    """

    def refuse(reason: str, *, hard: bool) -> None:
        how = "cannot be forced" if hard else "must be forced"
        raise Conflict(f"conflict: unable to delete {short(image.id)} ({how}) - {reason}")

    if ops.store.children(image.id):
        refuse("image has dependent child images", hard=True)
    if (user := _user(ops, image.id, running=True)) is not None:
        refuse(f"image is being used by running container {short(user.id)}", hard=True)
    if force:
        return
    if names and ops.store.names_of(image.id):
        refuse("image is referenced in multiple repositories", hard=False)
    if (user := _user(ops, image.id)) is not None:
        refuse(f"image is being used by stopped container {short(user.id)}", hard=False)


def _user(ops: Ops, image_id: str, *, running: bool = False) -> ContainerRecord | None:
    return next(
        (user for user in ops.containers if user.image_id == image_id and (user.state.running or not running)), None
    )


def _is_id(image_id: str, ref: str) -> bool:
    return image_id.startswith(ref) or image_id.removeprefix("sha256:").startswith(ref)


def _one_name(names: list[Reference]) -> bool:
    """At most one tag, and every digest of the same repository."""
    tags = [name for name in names if name.tag]
    return len(names) <= 1 or (len(tags) <= 1 and len({name.name for name in names}) == 1)


async def prune(ops: Ops, *, dangling: bool, matches: Callable[[dict[str, str], int], bool]) -> tuple[Rows, int]:
    """Remove images that no container uses.

    Args:
        dangling: only those without a tag.
        matches: whether an image with these labels, made at that time (ns), is meant.

    Returns:
        Docker's rows, and how many bytes that freed.
    """
    rows: Rows = []
    freed = 0
    async with ops.changing:
        for image in ops.store.images.all():
            names = ops.store.names_of(image.id)
            view = ops.store.view(image, names)
            if ops.store.images.find(image.id) is None or (not names and ops.store.children(image.id)):
                continue
            if (dangling and view.repo_tags) or not matches(view.labels, unix_seconds(view.created) * 10**9):
                continue
            for ref in [name.familiar for name in names] or [image.id]:
                try:
                    more, bytes_ = await _remove(ops, ref, force=False, prune=True)
                except (Conflict, NotFound):
                    continue
                rows += more
                freed += bytes_
        freed += (await collect(ops.content, ops.layers, ops.leases, ops.live)).bytes
    # Whoever prunes wants the space: answer once it is there.
    await ops.layers.settled()
    ops.events.publish("image", "prune", "", {"reclaimed": str(freed)})
    return rows, freed
