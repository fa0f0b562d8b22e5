"""Give a container another name. Docker Engine API: ContainerRename."""

import msgspec

from agent.engine.containers.ops import Ops
from agent.engine.containers.options import names
from agent.engine.errors import Conflict, Invalid
from agent.engine.state.records import ContainerRecord


async def rename(ops: Ops, record: ContainerRecord, name: str) -> ContainerRecord:
    """Rename it. The caller holds the container's lock.

    Raises:
        Invalid: no name, not a name, or its own.
        Conflict: the name is taken.
    """
    if not name.removeprefix("/"):
        raise Invalid("Neither old nor new names may be empty")
    if name.removeprefix("/") == record.name:
        raise Invalid("Renaming a container with the same name as its current name")
    try:
        new = names.checked(name if name.startswith("/") else f"/{name}")
    except Invalid as error:
        raise Invalid(f"Error when allocating new name: {error}") from None
    if (other := ops.containers.names.get(new)) is not None:
        raise Conflict(
            f'Error when allocating new name: Conflict. The container name "/{new}" is already in use by container'
            f' "{other}". You have to remove (or rename) that container to be able to reuse that name.'
        )
    renamed = await ops.containers.save(msgspec.structs.replace(record, name=new))
    ops.networks.renamed(record.id)
    ops.tell(renamed, "rename", oldName=f"/{record.name}")
    return renamed
