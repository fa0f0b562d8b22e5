"""The verbs on hosts: enrol, revoke, prune, refresh."""
