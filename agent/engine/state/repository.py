"""All records of one noun: in memory for reading, written through to the database.

Reads cost no IO and never wait. ``save`` changes memory at once and returns once the disk has it. Where two tasks may
change one record, use ``change``: it works on the newest record, not on a copy that the caller has held across an
await.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from agent.engine.errors import EngineError, NotFound
from agent.engine.state.db import Database, Statement
from agent.engine.state.records import ContainerRecord, NetworkRecord, VolumeRecord


class Record(Protocol):
    """Anything with an id of its own."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Record)

PUT = (
    "INSERT INTO documents (kind, id, body) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"
)
DROP = "DELETE FROM documents WHERE kind = ? AND id = ?"


class Repository(Generic[R]):
    """Records of one kind, by id."""

    def __init__(self, database: Database, kind: str, type_: type[R]) -> None:
        """Read every record of the kind."""
        self._database = database
        self.kind = kind
        self._encoder = msgspec.json.Encoder()
        decoder = msgspec.json.Decoder(type_)
        rows = database.read("SELECT id, body FROM documents WHERE kind = ? ORDER BY id", (kind,))
        self._records: dict[str, R] = {id_: decoder.decode(body) for id_, body in rows}

    def __iter__(self) -> Iterator[R]:
        return iter(tuple(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._records

    def all(self) -> list[R]:
        """Every record, in no promised order."""
        return list(self._records.values())

    def find(self, id_: str) -> R | None:
        """The record of this full id."""
        return self._records.get(id_)

    def get(self, id_: str) -> R:
        """The record of this full id.

        Raises:
            NotFound: it is gone.
        """
        record = self._records.get(id_)
        if record is None:
            raise NotFound(f"No such {self.kind}: {id_}")
        return record

    async def save(self, record: R, also: Sequence[Statement] = (), *, vital: bool = False) -> R:
        """Store a record, with other statements in the same transaction if given. For ``vital`` see ``Database.write``.

        Raises:
            NoSpace, System: not written; memory has the old record again.
        """
        old = self._records.get(record.id)
        self._place(record.id, record)
        try:
            await self._database.write([self.put(record), *also], vital=vital)
        except EngineError:
            if self._records.get(record.id) is record:
                self._place(record.id, old)
            raise
        return record

    async def change(self, id_: str, **fields: Any) -> R:
        """Change these fields of the newest record.

        Raises:
            NotFound: it is gone.
        """
        # msgspec's typing asks for a Struct; every record is one, which the Protocol cannot say.
        return await self.save(msgspec.structs.replace(self.get(id_), **fields))  # type: ignore[type-var]

    async def delete(self, id_: str, also: Sequence[Statement] = ()) -> None:
        """Forget a record; one that is gone already is fine."""
        self._place(id_, None)
        await self._database.write([(DROP, (self.kind, id_)), *also], vital=True)

    def hold(self, record: R) -> None:
        """Take into memory what a transaction of the caller's has stored by ``put``."""
        self._place(record.id, record)

    def dropping(self, id_: str) -> Statement:
        """The statement that deletes a record, for a transaction of the caller's; see ``forget``."""
        return (DROP, (self.kind, id_))

    def forget(self, id_: str) -> None:
        """Drop a record from memory, where the caller's own transaction has deleted it."""
        self._place(id_, None)

    def put(self, record: R) -> Statement:
        """The statement that stores a record, for a transaction of the caller's."""
        return (PUT, (self.kind, record.id, self._encoder.encode(record)))

    def _place(self, id_: str, record: R | None) -> None:
        if record is None:
            self._records.pop(id_, None)
        else:
            self._records[id_] = record


class Containers(Repository[ContainerRecord]):
    """Containers, with names kept unique: a name is reserved the moment that its record is saved."""

    def __init__(self, database: Database) -> None:
        self.names: dict[str, str] = {}
        super().__init__(database, "container", ContainerRecord)
        self.names = {record.name: record.id for record in self}

    def by_name(self, name: str) -> ContainerRecord | None:
        """The container of exactly this name, leading slash or not."""
        id_ = self.names.get(name.removeprefix("/"))
        return self.find(id_) if id_ else None

    def _place(self, id_: str, record: ContainerRecord | None) -> None:
        old = self.find(id_)
        if old is not None and self.names.get(old.name) == id_:
            del self.names[old.name]
        super()._place(id_, record)
        if record is not None:
            self.names[record.name] = id_


class Volumes(Repository[VolumeRecord]):
    """Volumes, by name."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "volume", VolumeRecord)


class Networks(Repository[NetworkRecord]):
    """Networks, by id."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "network", NetworkRecord)

    def by_name(self, name: str) -> NetworkRecord | None:
        """The network of exactly this name."""
        return next((record for record in self if record.name == name), None)
