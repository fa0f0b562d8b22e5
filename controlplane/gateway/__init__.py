"""The transport to agents: one WebSocket a host, streams over it, the bell's tunnel, leases. Knows no nouns."""
