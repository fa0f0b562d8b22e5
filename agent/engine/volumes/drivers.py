"""The drivers by name: ``local``, and every plugin that the host has."""

import asyncio
import time
from collections.abc import Sequence

from agent.engine.errors import EngineError, NotFound, System, Unavailable
from agent.engine.volumes.discovery import Places
from agent.engine.volumes.driver import Driver, Found
from agent.engine.volumes.local import LocalDriver
from agent.engine.volumes.plugin import LISTING_SECONDS, SECONDS, PluginDriver

SILENT_SECONDS = 30.0
"""Where a plugin has not answered a list in time, the lists of so long go without asking it."""
_PAUSE = 0.2


class Drivers:
    """Finds and remembers drivers.

    Args:
        local: the one that is always there.
        places: where plugins are looked for.
    """

    def __init__(self, local: LocalDriver, places: Places) -> None:
        self.local = local
        self._places = places
        self._plugins: dict[str, PluginDriver] = {}
        self._silent: dict[str, float] = {}

    @property
    def anywhere(self) -> bool:
        """There are places where plugins might be."""
        return bool(self._places.directories)

    @property
    def names(self) -> list[str]:
        """Of those in use, as ``docker info`` shows them."""
        return sorted({self.local.name, *self._plugins})

    async def get(self, name: str, *, patient: bool = False) -> Driver:
        """The driver of this name; a plugin is activated when it is first asked for.

        Args:
            name: empty means ``local``.
            patient: wait for a plugin that is not there yet, as long as a call may take.

        Raises:
            NotFound: there is none.
            System, Unavailable: it cannot be activated.
        """
        if name in {"", self.local.name}:
            return self.local
        known = self._plugins.get(name)
        if known is not None and known.address == await asyncio.to_thread(self._places.find, name):
            return known
        ends = time.monotonic() + SECONDS
        while (address := await asyncio.to_thread(self._places.find, name)) is None:
            if not patient or time.monotonic() + _PAUSE > ends:
                raise NotFound(f'error looking up volume plugin {name}: plugin "{name}" not found')
            await asyncio.sleep(_PAUSE)
        plugin = PluginDriver(name, address)
        try:
            await plugin.activate(max(ends - time.monotonic(), _PAUSE), patient=patient)
        except EngineError as error:
            raise type(error)(f"error looking up volume plugin {name}: legacy plugin: {error}") from error
        self._plugins[name] = plugin
        return plugin

    async def lists(self) -> tuple[dict[str, Sequence[Found]], list[str]]:
        """What every plugin says that it has, by driver, and a warning for each that does not say."""
        names = await asyncio.to_thread(self._places.names)
        answers = await asyncio.gather(*(self._list(name) for name in names))
        found, warnings = {}, []
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, str):
                warnings.append(answer)
            elif answer is not None:
                found[name] = answer
        return found, warnings

    async def _list(self, name: str) -> Sequence[Found] | str | None:
        """A plugin's volumes, a warning, or None where it is no plugin for volumes."""
        if self._silent.get(name, 0.0) > time.monotonic():
            return f"list {name}: the plugin did not answer"
        try:
            async with asyncio.timeout(LISTING_SECONDS):
                driver = await self.get(name)
                found = await driver.list()
        except NotFound:
            return None
        except (TimeoutError, Unavailable) as error:
            self._silent[name] = time.monotonic() + SILENT_SECONDS
            return f"list {name}: {error or f'no answer within {LISTING_SECONDS:g} s'}"
        except System as error:
            return None if "does not implement" in str(error) else f"list {name}: {error}"
        self._silent.pop(name, None)
        return found

    async def holding(self, volume: str) -> tuple[Driver, Found] | None:
        """The plugin that has a volume of which no record tells."""
        for name in await asyncio.to_thread(self._places.names):
            if self._silent.get(name, 0.0) > time.monotonic():
                continue
            try:
                async with asyncio.timeout(LISTING_SECONDS):
                    driver = await self.get(name)
                    found = await driver.find(volume)
            except (TimeoutError, Unavailable):
                self._silent[name] = time.monotonic() + SILENT_SECONDS
            except EngineError:
                continue
            else:
                if found is not None:
                    return driver, found
        return None
