"""Carries orders out: verified, journalled, one after the other for one object, each effect once.

fetched ─▶ verified ─▶ taken ─▶ its turn in the lane ─▶ policy ─▶ begun ─▶ effect ─▶ ended ─▶ reported
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from agent.link.docker import Engine, EngineDown, EngineError
from agent.link.operations.containers import stop_seconds
from agent.link.operations.work import Blobs, OutcomeUnknown, Work
from agent.link.orderbook import Entry, OrderBook, Outcome
from agent.link.orders import OPERATIONS, Operation
from agent.link.policy import Denied, Policy
from agent.link.progress import Lines
from agent.protocol.envelopes import Refused, Verify, admit, unseal
from agent.protocol.orders import lane_of

log = logging.getLogger("longshore.link.orders")

_SLOW_AT_ONCE: Final = 3
_QUICK_AT_ONCE: Final = 32
_GRANT_SECONDS: Final = 240.0
_POLL_SECONDS: Final = 0.25
# Engines answer 403 where something is in the way, as containers on a network; it has nothing to do with rights.
_CODES: Final = {400: "invalid", 403: "conflict", 404: "not_found", 409: "conflict", 507: "no_space"}


class Report(Protocol):
    """Where the runner tells what happens; may be deaf while the link is down."""

    def taken(self, order_id: str) -> None: ...
    def running(self, order_id: str, begun_at: int) -> None: ...
    def lines(self, order_id: str, lines: list[dict[str, Any]], progress: dict[str, Any]) -> None: ...
    def ended(self, order_id: str, outcome: Outcome) -> None: ...
    def refused(self, refusal: Refused) -> None: ...
    def ask_orders(self) -> None: ...
    def ask_inventory(self) -> None: ...


class Runner:
    """All orders of this host. Lives as long as the process; the link comes and goes."""

    def __init__(
        self,
        *,
        host_id: str,
        book: OrderBook,
        engine: Engine,
        policy: Policy,
        verify: Verify,
        server_now: Callable[[], float],
        blobs: Blobs,
        report: Report,
    ) -> None:
        self._host_id = host_id
        self._book = book
        self._engine = engine
        self._policy = policy
        self._verify = verify
        self._server_now = server_now
        self._blobs = blobs
        self._report = report
        self._lanes: dict[str, dict[str, Entry]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._grants: dict[str, tuple[Mapping[str, Any], float]] = {}
        self._granted = asyncio.Condition()
        self._busy: set[str] = set()
        self._slow = asyncio.Semaphore(_SLOW_AT_ONCE)
        self._quick = asyncio.Semaphore(_QUICK_AT_ONCE)

    async def resume(self) -> None:
        """Take up what the process before this one left open."""
        for entry in await self._book.unfinished():
            self._enqueue(entry)

    async def report_all(self) -> None:
        """Tell a new connection where every order stands that it may not know of."""
        for entry in await self._book.unfinished():
            if entry.begun_at is None:
                self._report.taken(entry.order_id)
            else:
                self._report.running(entry.order_id, entry.begun_at)
        for entry in await self._book.unreported():
            assert entry.outcome is not None
            self._report.ended(entry.order_id, entry.outcome)

    async def fetched(self, item: Mapping[str, Any]) -> None:
        """One order as the control plane handed it out: `{sealed, grants, cancel}`."""
        sealed, grants = item.get("sealed"), item.get("grants")
        try:
            envelope = unseal(sealed if isinstance(sealed, dict) else {}, verify=self._verify)
            known = await self._book.find(envelope.order_id)
            if known is None:
                admit(envelope, host_id=self._host_id, server_now=self._server_now())
        except Refused as refusal:
            log.warning("order refused: %s (%s)", refusal, refusal.code)
            self._report.refused(refusal)
            return
        entry = known or await self._book.take(envelope)
        if entry.outcome is not None:
            self._report.ended(entry.order_id, entry.outcome)
            return
        async with self._granted:
            self._grants[entry.order_id] = (grants if isinstance(grants, dict) else {}, time.monotonic())
            self._granted.notify_all()
        if entry.begun_at is None:
            self._report.taken(entry.order_id)
        self._enqueue(entry)
        if item.get("cancel") is True:
            await self.cancel(entry.order_id)

    async def cancel(self, order_id: str) -> None:
        """Drop an order that was not begun; one that was goes on, and its end is the answer."""
        for lane in self._lanes.values():
            entry = lane.get(order_id)
            if entry is not None and entry.begun_at is None:
                del lane[order_id]
                self._grants.pop(order_id, None)
                await self._end(entry, _ended("cancelled", {}, None))
                async with self._granted:
                    self._granted.notify_all()
                return

    async def idle(self) -> None:
        """Wait until no order is open."""
        while self._workers:
            await asyncio.wait(self._workers.values())

    def _enqueue(self, entry: Entry) -> None:
        if entry.order_id in self._busy:
            return
        name = lane_of(entry.op, entry.args)
        lane = self._lanes.setdefault(name, {})
        lane.setdefault(entry.order_id, entry)
        if name not in self._workers:
            task = self._workers[name] = asyncio.create_task(self._work(name), name=f"lane {name}")
            task.add_done_callback(_log_crash)

    async def _work(self, name: str) -> None:
        lane = self._lanes[name]
        try:
            while lane:
                entry = min(lane.values(), key=lambda one: one.seq)
                operation = OPERATIONS[entry.op]
                async with self._slow if operation.slow else self._quick:
                    if entry.order_id in lane:
                        await self._carry_out(lane, entry.order_id, operation)
        finally:
            self._lanes.pop(name, None)
            self._workers.pop(name, None)

    async def _carry_out(self, lane: dict[str, Entry], order_id: str, operation: Operation) -> None:
        self._busy.add(order_id)
        try:
            # read again: what stood in the lane may be older than the book
            entry = await self._book.find(order_id)
            if entry is None or entry.outcome is not None:
                return
            grants = await self._grants_for(lane, entry, operation)
            outcome: Outcome | None
            if entry.begun_at is None and self._server_now() > entry.not_after:
                outcome = _ended("expired", {}, _problem("expired", 0, "its turn came after its not_after"))
            else:
                outcome = await self._do(lane, entry, operation, grants)
            if outcome is not None:
                await self._end(entry, outcome)
        finally:
            lane.pop(order_id, None)
            self._busy.discard(order_id)
            self._grants.pop(order_id, None)

    async def _do(
        self, lane: dict[str, Entry], entry: Entry, operation: Operation, grants: Mapping[str, Any]
    ) -> Outcome | None:
        half_done = entry.begun_at is not None
        begun_at = entry.begun_at or 0
        if not half_done:
            try:
                self._policy.check_order(entry.op, entry.args)
            except Denied as denied:
                return _ended("failed", {}, {**_problem("policy", 403, str(denied)), "rule": denied.rule})
            if entry.order_id not in lane:
                return None
            # from this line on a cancel comes too late
            lane.pop(entry.order_id)
            begun_at = await self._book.begin(entry.order_id)
        self._report.running(entry.order_id, begun_at)
        lines = Lines(
            lambda some, progress: self._report.lines(entry.order_id, some, progress),
            first=(time.time_ns() - begun_at) // 1_000_000 if half_done else 0,
        )
        work = Work(
            order_id=entry.order_id,
            op=entry.op,
            args=entry.args,
            begun_at=begun_at,
            engine=self._engine,
            progress=lines,
            blobs=self._blobs,
            refresh=self._report.ask_inventory,
            grants=grants,
        )
        try:
            return await self._until_known(entry, operation, work, half_done)
        finally:
            lines.close()

    async def _until_known(self, entry: Entry, operation: Operation, work: Work, half_done: bool) -> Outcome:
        pause = 0.1
        # what a link before this one asked for may still be under way; what an engine before this one did is not
        settling = half_done
        while True:
            try:
                if half_done and (found := await _recognise(operation, work, settling)) is not None:
                    return _ended("done", found, None)
                self._policy.check_order(entry.op, entry.args)
                return _ended("done", await operation.perform(work), None)
            except EngineDown as down:
                half_done, settling = half_done or down.sent, down.hung
                if self._server_now() > entry.not_after:
                    if half_done:
                        return _ended("failed", {}, _problem("outcome_unknown", 0, str(down)))
                    return _ended("expired", {}, _problem("expired", 0, str(down)))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            except EngineError as error:
                # an effect that was under way when the link died may have come to its end in between
                if half_done and (found := await self._found_after_all(operation, work)) is not None:
                    return _ended("done", found, None)
                code = _CODES.get(error.status, "engine_error")
                return _ended("failed", {}, _problem(code, error.status, error.message))
            except OutcomeUnknown as unknown:
                return _ended("failed", {}, _problem("outcome_unknown", 0, str(unknown)))
            except Denied as denied:
                return _ended("failed", {}, {**_problem("policy", 403, str(denied)), "rule": denied.rule})
            except Exception as error:
                log.exception("order %s (%s) broke", entry.order_id, entry.op)
                return _ended("failed", {}, _problem("agent_error", 0, f"{type(error).__name__}: {error}"))

    async def _found_after_all(self, operation: Operation, work: Work) -> dict[str, Any] | None:
        try:
            return await _recognise(operation, work, settling=False)
        except (EngineError, EngineDown, OutcomeUnknown):
            return None

    async def _grants_for(self, lane: dict[str, Entry], entry: Entry, operation: Operation) -> Mapping[str, Any]:
        """Secrets for this order, fetched anew when they are old; waits for the link if need be."""
        if not operation.grants:
            return {}
        async with self._granted:
            while True:
                grants, since = self._grants.get(entry.order_id, ({}, float("-inf")))
                if time.monotonic() - since < _GRANT_SECONDS:
                    return grants
                # one that was cancelled meanwhile is handed out no more
                if self._server_now() > entry.not_after or entry.order_id not in lane:
                    return {}
                self._report.ask_orders()
                try:
                    async with asyncio.timeout(5.0):
                        await self._granted.wait()
                except TimeoutError:
                    continue

    async def _end(self, entry: Entry, outcome: Outcome) -> None:
        await self._book.end(entry.order_id, outcome)
        self._report.ended(entry.order_id, outcome)


async def _recognise(operation: Operation, work: Work, settling: bool) -> dict[str, Any] | None:
    """Look for the effect; when it may be under way, for as long as it may take."""
    end = time.monotonic() + (operation.settle if settling else 0.0)
    if settling and operation.stops:
        end += await stop_seconds(work)
    while True:
        found = await operation.recognise(work)
        if found is not None or time.monotonic() >= end:
            return found
        await asyncio.sleep(_POLL_SECONDS)


def _ended(state: str, result: dict[str, Any], problem: dict[str, Any] | None) -> Outcome:
    return Outcome(state, result, problem, datetime.now(UTC).isoformat())


def _problem(code: str, status: int, detail: str) -> dict[str, Any]:
    return {"code": code, "status": status, "detail": detail[:4000]}


def _log_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a lane of orders broke", exc_info=task.exception())
