"""Named volumes: what outlives the containers that use it."""
