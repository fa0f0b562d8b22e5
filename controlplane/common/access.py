"""Who asks, and what that actor may do on which host: worked out once a request, asked everywhere."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.common.errors import Denied, NotFound


@dataclass(frozen=True)
class Actor:
    """Who does something: kept by id and name, so that the trail stays true when a user goes."""

    id: str
    name: str
    kind: str  # user, token, agent, system
    address: str = ""
    request_id: str = ""
    user_id: uuid.UUID | None = None


SYSTEM = Actor(id="", name="Longshore", kind="system")


@dataclass(frozen=True)
class Access:
    """An actor with its effective rights: right -> the hosts it holds on, None meaning all."""

    actor: Actor
    rights: Mapping[str, frozenset[uuid.UUID] | None] = field(default_factory=dict)
    token_id: uuid.UUID | None = None

    def anywhere(self, right: str) -> bool:
        """Whether the right is held at all."""
        return right in self.rights

    def on(self, right: str, host_id: uuid.UUID) -> bool:
        """Whether the right holds on one host."""
        hosts = self.rights.get(right, frozenset())
        return hosts is None or host_id in hosts

    def everywhere(self, right: str) -> bool:
        """Whether the right holds on all hosts, now and later."""
        return right in self.rights and self.rights[right] is None

    def hosts(self, right: str) -> frozenset[uuid.UUID] | None:
        """The hosts on which the right holds; None for all."""
        return self.rights.get(right, frozenset())

    def rights_on(self, host_id: uuid.UUID) -> list[str]:
        """The rights that hold on one host, for a page that greys out its buttons."""
        return sorted(right for right, hosts in self.rights.items() if hosts is None or host_id in hosts)

    def require(self, right: str, host_id: uuid.UUID, host_name: str = "", *, view: str = "") -> None:
        """Refuse unless the right holds on the host.

        Args:
            view: the right without which the object does not exist for this actor.

        Raises:
            NotFound: the actor may not even see it.
            Denied: it may see it; names the right.
        """
        if view and not self.on(view, host_id):
            raise NotFound("Not found, or you have no access")
        if not self.on(right, host_id):
            raise denied(right, host_name)


def denied(right: str, host_name: str = "") -> Denied:
    """The refusal that names a right."""
    where = f" on {host_name}" if host_name else ""
    return Denied(f"Needs {right}{where}", code="missing_right", params={"right": right, "host": host_name})
