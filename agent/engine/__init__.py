"""The container engine: serves the Docker Engine API on a unix socket and knows nothing of a fleet."""
