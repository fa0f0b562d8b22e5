"""The private OCI registry: `/v2/` beside Django, its records, and their REST views."""
