"""Volumes as hosts report them, and the services that order changes."""
