"""The schema, version by version. A version is never edited once released; a newer database is refused, not
guessed at.
"""

import sqlite3

from agent.engine.errors import System

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE documents (kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, id))"
        " WITHOUT ROWID",
        "CREATE TABLE journal (intent TEXT PRIMARY KEY, operation TEXT NOT NULL, subject TEXT NOT NULL,"
        " detail BLOB NOT NULL, steps BLOB NOT NULL, begun_ns INTEGER NOT NULL) WITHOUT ROWID",
    ),
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version, each version in one transaction.

    Raises:
        System: the database was written by a newer engine.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise System(f"the database has version {version}, this engine knows {len(MIGRATIONS)}: run the newer engine")
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
