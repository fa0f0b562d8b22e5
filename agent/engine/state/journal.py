"""The journal: what is under way, so that a crash leaves nothing half done.

An operation is an *intent* row, then *steps* that are idempotent and named after the object, then *done*, which
deletes the row. At start the engine rolls each open intent forward or undoes it, and only then serves. A row left
open is the sole trace of a crash: finished work leaves none.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import uuid_utils

from agent.engine.state.db import Database, Statement


@dataclass(slots=True)
class Intent:
    """One operation under way."""

    id: str
    operation: str
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)


class Journal:
    """Intents in the engine's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_intents(self) -> list[Intent]:
        """What a crash left, oldest first. For start-up."""
        rows = self._database.read(
            "SELECT intent, operation, subject, detail, steps FROM journal ORDER BY begun_ns, intent"
        )
        return [
            Intent(id_, operation, subject, json.loads(detail), json.loads(steps))
            for id_, operation, subject, detail, steps in rows
        ]

    async def begin(
        self,
        operation: str,
        subject: str,
        detail: dict[str, Any] | None = None,
        also: Sequence[Statement] = (),
        *,
        vital: bool = False,
    ) -> Intent:
        """Record the intent, durably, before its first effect. For ``vital`` see ``Database.write``.

        Raises:
            NoSpace, System: not recorded: do nothing.
        """
        intent = Intent(str(uuid_utils.uuid7()), operation, subject, detail or {})
        row = (intent.id, operation, subject, json.dumps(intent.detail), "[]", time.time_ns())
        await self._database.write([("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", row), *also], vital=vital)
        return intent

    async def step(self, intent: Intent, name: str) -> None:
        """Record that a step is done, where the undo could not see it by itself."""
        intent.steps.append(name)
        await self._database.write(
            [("UPDATE journal SET steps = ? WHERE intent = ?", (json.dumps(intent.steps), intent.id))]
        )

    async def done(self, intent: Intent) -> None:
        """Close the intent by itself."""
        await self._database.write([self.closing(intent)], vital=True)

    @staticmethod
    def closing(intent: Intent) -> Statement:
        """The statement that closes the intent: put it into the transaction that stores the result."""
        return ("DELETE FROM journal WHERE intent = ?", (intent.id,))
