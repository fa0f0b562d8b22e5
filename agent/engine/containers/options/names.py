"""Container names: what is allowed, and a readable one for those who give none."""

import re
import secrets
from collections.abc import Container

from agent.engine.errors import Invalid

ALLOWED = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_RULE = "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"

_HOW = (  # noqa: SIM905
    "able amber brave brisk calm clear deft eager early fair fleet fond free fresh gentle glad golden grand "
    "green hardy honest jolly keen kind light lively loyal lucid mellow merry modest neat noble patient plain "
    "proud quick quiet ready rosy silver steady still sunny swift tidy true warm wise witty young"
).split()
_WHAT = (  # noqa: SIM905
    "anchor auk barge beacon bight bollard breeze brig buoy cable capstan cleat cove crane current dock dory "
    "dunlin eider ferry fjord gale galley gannet gull harbour haven helm heron hull jetty keel ketch lagoon "
    "lantern lighter mast moor osprey petrel pier pilot plover port quay reef rudder sail shoal skiff sloop "
    "sound spar tern tide tug wharf whistler yawl"
).split()


def checked(name: str) -> str:
    """The name without its leading slash.

    Raises:
        Invalid: dockerd would not take it either.
    """
    bare = name.removeprefix("/")
    if not ALLOWED.fullmatch(bare):
        raise Invalid(f"Invalid container name ({name}), {_RULE}")
    return bare


def invented(taken: Container[str]) -> str:
    """A free name of two words."""
    while True:
        name = f"{secrets.choice(_HOW)}_{secrets.choice(_WHAT)}"
        if name not in taken:
            return name
        name = f"{name}{secrets.randbelow(1000)}"
        if name not in taken:
            return name
