"""The one error of these scripts: what is wrong, and the cure."""


class Refusal(Exception):
    """Longshore cannot run here as asked; ``str(error)`` names the fault and what to do about it."""
