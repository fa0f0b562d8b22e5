"""The configuration of a committed image: the client's, filled up from the container's. Pure.

Source: moby ``daemon/commit.go`` (``merge``).
"""

from agent.engine.images.configs import Json


def merge(given: Json, container: Json) -> Json:
    """``given`` with what it leaves open taken from the container."""
    made = dict(given)
    for key in ("User", "WorkingDir", "Healthcheck", "StopSignal"):
        if not made.get(key) and container.get(key):
            made[key] = container[key]
    for key in ("ExposedPorts", "Volumes"):
        if container.get(key):
            made[key] = {**container[key], **(made.get(key) or {})}
    made["Volumes"] = made.get("Volumes") or None
    mine = list(made.get("Env") or [])
    named = {pair.partition("=")[0] for pair in mine}
    inherited = [pair for pair in container.get("Env") or [] if pair.partition("=")[0] not in named]
    made["Env"] = [*mine, *inherited] or None
    made["Labels"] = {**(container.get("Labels") or {}), **(made.get("Labels") or {})}
    if not made.get("Entrypoint"):
        if not made.get("Cmd"):
            made["Cmd"] = container.get("Cmd")
        if made.get("Entrypoint") is None:
            made["Entrypoint"] = container.get("Entrypoint")
    return made
