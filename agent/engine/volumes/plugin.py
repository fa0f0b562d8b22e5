"""A volume plugin as a driver: Docker's protocol ``VolumeDriver`` spoken to one program of this host.

The program may hang, die, come back or answer nonsense. So every call has a deadline, and nothing of an answer is
believed before it has been looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.engine.errors import EngineError, System, Unavailable
from agent.engine.volumes import rpc
from agent.engine.volumes.discovery import Address
from agent.engine.volumes.driver import Found

SECONDS = 10.0
"""Of one call. Docker waits up to two minutes, and whoever waits for the volume waits along."""
LISTING_SECONDS = 2.0
"""Of a list that others wait for: it is answered without a plugin that takes longer."""
EXTENSION = "VolumeDriver"
_SCOPES = frozenset({"local", "global"})


@dataclass(slots=True)
class PluginDriver:
    """Volumes of one plugin that has been activated."""

    plugin: str
    address: Address
    _scope: str = ""

    @property
    def name(self) -> str:
        return self.plugin

    @property
    def counts(self) -> bool:
        return True

    async def activate(self, seconds: float, *, patient: bool = False) -> None:
        """The handshake.

        Raises:
            Unavailable: nobody listens or answers.
            System: it is no volume plugin.
        """
        answer = await rpc.call(self.address, "Plugin.Activate", {}, seconds=seconds, patient=patient)
        implements = answer.get("Implements")
        if not isinstance(implements, list) or EXTENSION not in implements:
            raise System(
                f'Plugin does not implement the requested driver: plugin="{self.plugin}", '
                f'requested implementation="{EXTENSION}"'
            )

    async def scope(self) -> str:
        if not self._scope:
            try:
                told = (await self._call("Capabilities")).get("Capabilities")
            except Unavailable:
                return "local"
            except EngineError:
                told = None  # an optional method
            given = told.get("Scope") if isinstance(told, dict) else None
            scope = str(given or "local").lower()
            self._scope = scope if scope in _SCOPES else "local"
        return self._scope

    async def create(self, volume: str, options: Mapping[str, str]) -> str:
        await self._call("Create", Name=volume, Opts=dict(options) or None)
        return ""

    async def find(self, volume: str) -> Found | None:
        """The volume as the plugin tells it; an error of the plugin's own means that it has none.

        Raises:
            Unavailable: it does not answer.
        """
        try:
            answer = await self._call("Get", Name=volume)
        except Unavailable:
            raise
        except EngineError:
            return None
        return _found(answer.get("Volume"))

    async def list(self) -> Sequence[Found]:
        answer = await self._call("List", seconds=LISTING_SECONDS)
        given = answer.get("Volumes") or []
        if not isinstance(given, list):
            raise System(f"{EXTENSION}.List: Volumes is no list")
        return [one for one in map(_found, given) if one is not None]

    async def remove(self, volume: str) -> None:
        await self._call("Remove", Name=volume)

    async def mount(self, volume: str, options: Mapping[str, str], holder: str) -> Path:
        del options  # the plugin has them since the volume was made
        answer = await self._call("Mount", patient=True, Name=volume, ID=holder)
        path = answer.get("Mountpoint")
        if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
            raise System(f"{EXTENSION}.Mount: the plugin {self.plugin} gave no absolute Mountpoint: {path!r:.200}")
        return Path(path)

    async def unmount(self, volume: str, options: Mapping[str, str], holder: str) -> None:
        del options
        await self._call("Unmount", Name=volume, ID=holder)

    async def _call(self, method: str, *, seconds: float = 0.0, patient: bool = False, **arguments: Any) -> rpc.Json:
        return await rpc.call(
            self.address, f"{EXTENSION}.{method}", arguments, seconds=seconds or SECONDS, patient=patient
        )


def _found(given: Any) -> Found | None:
    if not isinstance(given, dict) or not isinstance(name := given.get("Name"), str) or not name:
        return None
    mountpoint, status = given.get("Mountpoint"), given.get("Status")
    return Found(
        name=name,
        mountpoint=mountpoint if isinstance(mountpoint, str) else "",
        created=created if isinstance(created := given.get("CreatedAt"), str) else "",
        status=status if isinstance(status, dict) else {},
    )
