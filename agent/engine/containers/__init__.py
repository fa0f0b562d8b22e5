"""Containers: one module a verb, pure modules for what a verb decides, `service.py` as the door."""
