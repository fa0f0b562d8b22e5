"""Files in and out of a container's own view of its files."""
