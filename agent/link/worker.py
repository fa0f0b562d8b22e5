"""The link's process: a Celery worker on this host's own queue, whose bootstep runs the WebSocket's loop in one thread.

The only module that knows Celery. A ring carries an order's id and nothing else; the task hands it to the loop and
returns. Options measured with celery and kombu 5.7, redis-py 8.1, Redis 7.0: see controlplane/celery.py, which is the
other end of the queue.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import warnings
from typing import Any, Final

from celery import Celery, bootsteps
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging, worker_shutting_down
from kombu.entity import Exchange, Queue

from agent.link.connection import Link
from agent.link.keys import load_or_make
from agent.link.settings import LinkSettings, read_identity

log = logging.getLogger("longshore.link")

TASK: Final = "agent.run_order"
_STOP_SECONDS: Final = 5.0


class LinkThread(threading.Thread):
    """Runs the link's loop. If it ever ends by itself the process ends, and the supervisor starts another."""

    def __init__(self, settings: LinkSettings) -> None:
        super().__init__(name="link", daemon=True)
        self._settings = settings
        self._identity = read_identity(settings)
        self._key = load_or_make(settings)
        self._loop = asyncio.new_event_loop()
        self._link: Link | None = None
        self._main: asyncio.Task[None] | None = None
        self.listening = threading.Event()

    def run(self) -> None:
        try:
            self._loop.run_until_complete(self._run())
        except asyncio.CancelledError:
            return
        except BaseException:
            log.exception("the link broke down")
            os._exit(70)

    async def _run(self) -> None:
        self._link = Link(self._settings, self._identity, self._key)
        self._main = asyncio.ensure_future(self._link.run(self.listening.set))
        await self._main

    def ring(self, order_id: str) -> None:
        """From any thread: somebody rang."""
        if self._link is not None:
            self._loop.call_soon_threadsafe(self._link.ring, order_id)

    def hang_up(self) -> None:
        """From any thread: end the broker's connection, so that a blocked BRPOP returns now."""
        if self._link is not None:
            asyncio.run_coroutine_threadsafe(self._link.close_bell(), self._loop)

    def stop(self) -> None:
        """End the loop; what is under way in the engine goes on, and is recognised at the next start."""
        if self._main is not None:
            self._loop.call_soon_threadsafe(self._main.cancel)
        self.join(_STOP_SECONDS)


def run(settings: LinkSettings) -> None:
    """Be the link until SIGTERM."""
    settings.bell_socket.unlink(missing_ok=True)
    thread = LinkThread(settings)
    host_id = read_identity(settings).host_id
    app = _app(settings, host_id)

    class LinkStep(bootsteps.StartStopStep):  # type: ignore[misc]
        """Up before the consumer, which needs the bell's socket; down after it."""

        requires = ("celery.worker.components:Timer",)

        def start(self, parent: Any) -> None:
            thread.start()
            thread.listening.wait(10.0)

        def stop(self, parent: Any) -> None:
            thread.stop()

        def terminate(self, parent: Any) -> None:
            thread.stop()

    app.steps["worker"].add(LinkStep)

    @app.task(name=TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def run_order(order_id: str) -> None:
        thread.ring(str(order_id))

    # whoever started the process has set logging up
    @setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
    def keep(**_: Any) -> None:
        pass

    @worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def leaving(**_: Any) -> None:
        thread.hang_up()

    warnings.filterwarnings("ignore", category=SecurityWarning)  # root is what an engine's neighbour runs as
    app.worker_main([
        "--quiet", "worker", "--pool=solo", "--loglevel=WARNING", "--without-gossip", "--without-mingle",
        "--without-heartbeat", f"--hostname=agent@{host_id}",
    ])  # fmt: skip


def _app(settings: LinkSettings, host_id: str) -> Celery:
    name = f"agent:{host_id}:q"
    app = Celery("longshore-agent", broker=f"redis+socket://{settings.bell_socket}", set_as_current=False, fixups=set())
    app.conf.update(
        task_queues=[Queue(name, Exchange(""), routing_key=name)],  # type: ignore[no-untyped-call]
        task_default_queue=name,
        # Celery gives a queue without an exchange this one: a named exchange would need rights on its binding set
        task_default_exchange="",
        broker_transport_options={
            "ack_emulation": False,
            "priority_steps": [0],
            "health_check_interval": 10,
            "polling_interval": 30,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        result_backend=None,
        task_ignore_result=True,
        accept_content=["json"],
        task_serializer="json",
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        enable_utc=True,
    )
    return app
