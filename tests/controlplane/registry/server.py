"""The registry alone under uvicorn, with people of the test: `python server.py PORT`, settings from the environment."""

import sys
import uuid

import django
import uvicorn

django.setup()

from django.core.management import call_command  # noqa: E402

from controlplane.common import rights  # noqa: E402
from controlplane.common.access import Access, Actor  # noqa: E402
from controlplane.registry.app import Registry  # noqa: E402
from controlplane.registry.storage import BlobStorage  # noqa: E402
from controlplane.settings import HERE  # noqa: E402

PEOPLE = {
    "owner": {rights.REGISTRY_PULL, rights.REGISTRY_PUSH, rights.REGISTRY_MANAGE},
    "pusher": {rights.REGISTRY_PULL, rights.REGISTRY_PUSH},
    "viewer": {rights.REGISTRY_PULL},
    "nobody": set(),
}
PASSWORD = "correct horse"


def authenticate(username: str, password: str, address: str) -> Access | None:
    """Everybody has the same password."""
    if username not in PEOPLE or password != PASSWORD:
        return None
    actor = Actor(id=f"user:{uuid.uuid5(uuid.NAMESPACE_DNS, username)}", name=username, kind="user")
    return Access(actor, dict.fromkeys(PEOPLE[username]))


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    registry = Registry(BlobStorage.on_disk(HERE.data / "registry"), authenticate)
    uvicorn.run(registry, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", lifespan="off")
