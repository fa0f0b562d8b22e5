"""What every app builds on: errors, base models, rights, lists, idempotency, dispatch."""
