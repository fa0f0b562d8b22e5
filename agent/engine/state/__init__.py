"""What the engine remembers: records in memory, written through to SQLite, and the journal of what is under way."""
