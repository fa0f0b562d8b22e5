"""The link: keeps one connection to the control plane, and joins to it everything that goes up or comes down.

    connected ─▶ hands shaken ─▶ {reader, reporter, watcher, stats} until one of them ends ─▶ wait with jitter ─▶ again

The runner of orders, the order book and the bell's socket outlive connections; all else is made anew for each.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import random
import shutil
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection

from agent.link import facts, pipes
from agent.link.bell import BellServer
from agent.link.docker import Engine, EngineDown, EngineError
from agent.link.inventory import Inventory
from agent.link.keys import HostKey, Trusted
from agent.link.orderbook import OrderBook, Outcome
from agent.link.policy import Policy
from agent.link.reporter import Overrun, Reporter
from agent.link.runner import Runner
from agent.link.sampler import sample_for_ever
from agent.link.settings import Identity, LinkSettings
from agent.link.transport import CONNECTION_ERRORS, Opened, open_link
from agent.protocol import reports, versions
from agent.protocol.envelopes import Refused
from agent.protocol.mux import MuxError, Side, StreamClosed
from agent.protocol.session import Session, Stream

log = logging.getLogger("longshore.link")

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8.0
_ENGINE_PAUSE: Final = 0.5
_HOST_SECONDS: Final = 60.0
_FORGET_SECONDS: Final = 3600.0
_KINDS: Final = ("container", "image", "network", "volume")


class Link:
    """One host's link. `run` never returns by itself."""

    def __init__(self, settings: LinkSettings, identity: Identity, key: HostKey) -> None:
        self._settings = settings
        self._identity = identity
        self._key = key
        self._trusted = Trusted(identity.keys)
        self._clock = 0.0
        self._knows_clock = False
        self._engine = Engine(settings.engine)
        self._policy = Policy(settings.policy)
        self._book = OrderBook(settings.order_book)
        self._bell = BellServer(settings.bell_socket, self._open_bell)
        self._reporter: Reporter | None = None
        self._session: Session | None = None
        self._online = asyncio.Event()
        self._refresh = asyncio.Event()
        self._fetching = False
        self._rung = False
        self._reading = asyncio.Lock()
        self._since = time.time_ns()
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner = Runner(
            host_id=identity.host_id,
            book=self._book,
            engine=self._engine,
            policy=self._policy,
            verify=self._trusted.verify,
            server_now=self.server_now,
            blobs=self._blob,
            report=self,
        )

    def server_now(self) -> float:
        """The control plane's time, as learned at connect; this host's own until then."""
        return asyncio.get_running_loop().time() + self._clock if self._knows_clock else time.time()

    async def run(self, listening: Callable[[], None]) -> None:
        """Serve until cancelled; `listening` is called once the bell's socket is there."""
        await self._bell.start()
        listening()
        # what a process before this one fetched is fetched anew
        await asyncio.to_thread(shutil.rmtree, self._settings.contexts, ignore_errors=True)
        await self._runner.resume()
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                opened = await open_link(self._identity, self._key, self._trusted, facts.boot_id())
                await self._serve(opened)
            except CONNECTION_ERRORS as error:
                log.warning("no link to %s: %s", self._identity.url, error or type(error).__name__)
                self._note(connected=False, detail=str(error) or type(error).__name__)
            if time.monotonic() - began > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def close_bell(self) -> None:
        """End the broker's connection, so that a worker that waits on it can stop."""
        await self._bell.close()

    def ring(self, order_id: str) -> None:
        """The doorbell: there is something to fetch. What, the control plane says."""
        log.info("rung for order %s", order_id[:64])
        self.ask_orders()

    # What one connection is made of.

    async def _serve(self, opened: Opened) -> None:
        socket = opened.socket
        self._clock, self._knows_clock = opened.clock, True
        lock = asyncio.Lock()

        async def send_text(text: str) -> None:
            async with lock:
                await socket.send(text)

        session = Session(Side.AGENT, socket.send, self._opened)
        reporter = Reporter(send_text)
        self._session, self._reporter = session, reporter
        self._fetching = self._rung = False
        try:
            log.info("linked to %s", self._identity.url)
            self._online.set()
            self._note(connected=True, detail=f"connected to {self._identity.url}")
            await self._runner.report_all()
            self.ask_orders()
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._read(socket, session, reporter)),
                    group.create_task(reporter.run()),
                    group.create_task(self._watch(reporter)),
                    group.create_task(self._host(reporter)),
                    group.create_task(sample_for_ever(self._engine, reporter)),
                ]
                await tasks[0]
                for task in tasks[1:]:
                    task.cancel()
        except* (MuxError, reports.BadReport, Overrun) as broken:
            log.warning("the link broke: %s", broken.exceptions[0])
        except* CONNECTION_ERRORS as lost:
            log.warning("the link was lost: %s", lost.exceptions[0])
        finally:
            self._online.clear()
            self._note(connected=False, detail="the connection ended")
            self._session = self._reporter = None
            session.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await socket.close()

    def _note(self, *, connected: bool, detail: str) -> None:
        """Say where the link stands, for `agent check` and for who looks."""
        said = {"pid": os.getpid(), "connected": connected, "detail": detail, "at": datetime.now(UTC).isoformat()}
        draft = self._settings.status_file.with_suffix(".new")
        draft.write_text(json.dumps(said))
        draft.rename(self._settings.status_file)

    async def _read(self, socket: ClientConnection, session: Session, reporter: Reporter) -> None:
        """Take messages until the other end closes, or is silent for too long."""
        while True:
            async with asyncio.timeout(versions.OFFLINE_SECONDS):
                message = await socket.recv()
            if isinstance(message, bytes):
                session.feed(message)
            else:
                await self._heard(reports.read_down(message), reporter)

    async def _heard(self, message: dict[str, Any], reporter: Reporter) -> None:
        match message["type"]:
            case "ack":
                await reporter.acked(message["n"])
            case "refuse":
                reporter.refused(message["n"], message["code"], message["detail"])
            case "orders":
                self._fetching = False
                for item in message["items"]:
                    if isinstance(item, dict):
                        await self._runner.fetched(item)
                if message["more"] and message["items"]:
                    self._fetch(int(message.get("next") or 0))
                elif self._rung:
                    self._fetch(0)
            case "heartbeat":
                self._clock = float(message["server_time"]) - asyncio.get_running_loop().time()
                if message["seq"] > await self._book.highest_seq():
                    self.ask_orders()
            case "cancel":
                await self._runner.cancel(message["order_id"])
            case "refresh":
                self.ask_inventory()

    async def _watch(self, reporter: Reporter) -> None:
        """Lists at first and after every silence of the engine; changes in between."""
        inventory = Inventory(self._engine)
        while True:
            listing: asyncio.Task[None] | None = None
            try:
                listing = asyncio.create_task(self._list(inventory, reporter))
                async for batch in inventory.watch(self._since, self._refresh.set):
                    async with self._reading:
                        await self._tell(inventory, batch, reporter)
            except (EngineDown, EngineError) as error:
                log.warning("the engine is silent: %s", error)
                reporter.put("host", report=await facts.host_report(self._engine, self._policy, self._settings.state))
                await asyncio.sleep(_ENGINE_PAUSE)
            finally:
                if listing is not None:
                    listing.cancel()
                    await asyncio.gather(listing, return_exceptions=True)

    async def _tell(self, inventory: Inventory, batch: list[dict[str, Any]], reporter: Reporter) -> None:
        change = await inventory.change(batch)
        for kind in change.whole:
            reporter.put_list(kind, await inventory.whole(kind), uuid.uuid4().hex)
        for kind, items in change.items.items():
            reporter.put_changed(kind, items, change.gone[kind])
        for start in range(0, len(change.events), 100):
            some = change.events[start : start + 100]
            reporter.put("events", self._seen(some[-1]["at_nano"]), items=some)

    async def _list(self, inventory: Inventory, reporter: Reporter) -> None:
        while True:
            await self._refresh.wait()
            self._refresh.clear()
            try:
                reporter.put("host", report=await facts.host_report(self._engine, self._policy, self._settings.state))
                for kind in _KINDS:
                    # read and queued in one step, so that no older list follows a newer change
                    async with self._reading:
                        reporter.put_list(kind, await inventory.whole(kind), uuid.uuid4().hex)
            except (EngineDown, EngineError) as error:
                log.warning("the engine does not list: %s", error)
                await asyncio.sleep(_ENGINE_PAUSE)
                self._refresh.set()

    def _seen(self, at_nano: int) -> Any:
        async def answered() -> None:
            self._since = max(self._since, at_nano)

        return answered

    async def _host(self, reporter: Reporter) -> None:
        forgotten = time.monotonic()
        while True:
            await asyncio.sleep(_HOST_SECONDS)
            reporter.put("host", report=await facts.host_report(self._engine, self._policy, self._settings.state))
            if time.monotonic() - forgotten > _FORGET_SECONDS:
                forgotten = time.monotonic()
                await self._book.forget(self.server_now())

    # Streams.

    def _opened(self, stream: Stream, target: str, head: dict[str, Any]) -> None:
        task = asyncio.create_task(self._answer(stream, target, head), name=f"stream {target}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, stream: Stream, target: str, head: dict[str, Any]) -> None:
        if target != "engine":
            await stream.reset("denied", f"no target {target[:40]!r} on an agent")
            return
        await pipes.serve(stream, head, self._engine, self._policy)

    async def _open_bell(self) -> Stream:
        return await (await self._connected()).open("bell", {})

    async def _connected(self) -> Session:
        while self._session is None:
            await self._online.wait()
        return self._session

    async def _blob(self, digest: str) -> Path:
        """Fetch an archive by its digest, waiting for the link; the file is whole, checked and the caller's own."""
        # not by the digest: two builds may need the same archive at the same time
        path = self._settings.contexts / uuid.uuid4().hex
        await asyncio.to_thread(path.parent.mkdir, mode=0o700, exist_ok=True)
        try:
            while True:
                try:
                    await self._fetch_blob(digest, path)
                    return path
                except StreamClosed as closed:
                    if closed.code in {"not_found", "denied"}:
                        raise EngineError(404, str(closed)) from None
                    await asyncio.sleep(_ENGINE_PAUSE)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    async def _fetch_blob(self, digest: str, path: Path) -> None:
        stream = await (await self._connected()).open("blob", {"digest": digest})
        await stream.accepted()
        sum_, file = hashlib.sha256(), await asyncio.to_thread(path.open, "wb")
        with file:
            async for chunk in stream:
                sum_.update(chunk)
                await asyncio.to_thread(file.write, chunk)
        await stream.end()
        if f"sha256:{sum_.hexdigest()}" != digest and sum_.hexdigest() != digest:
            raise EngineError(502, "the build context is not what the order names")

    # What the runner reports. While the link is down nothing is lost by silence: see Runner.report_all.

    def taken(self, order_id: str) -> None:
        self._put("order.ack", order_ids=[order_id])

    def running(self, order_id: str, begun_at: int) -> None:
        self._put("order.running", order_id=order_id, at=datetime.fromtimestamp(begun_at / 1e9, UTC).isoformat())

    def lines(self, order_id: str, lines: list[dict[str, Any]], progress: dict[str, Any]) -> None:
        self._put("order.progress", order_id=order_id, lines=lines, progress=progress)

    def ended(self, order_id: str, outcome: Outcome) -> None:
        if self._reporter is not None:
            self._reporter.put(
                "order.result", lambda: self._book.reported(order_id), order_id=order_id, **outcome.__dict__
            )

    def refused(self, refusal: Refused) -> None:
        self._put("order.refused", order_id=refusal.order_id, code=refusal.code, detail=str(refusal))

    def ask_orders(self) -> None:
        """Fetch what is not final; when a fetch is under way, once more after it."""
        if self._fetching:
            self._rung = True
        else:
            self._fetch(0)

    def ask_inventory(self) -> None:
        self._refresh.set()

    def _fetch(self, after: int) -> None:
        if self._reporter is not None:
            self._fetching = True
            if not after:
                self._rung = False
            self._put("fetch", after=after)

    def _put(self, kind: str, **fields: Any) -> None:
        if self._reporter is not None:
            self._reporter.put(kind, **fields)
