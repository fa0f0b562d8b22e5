"""The control plane's Celery: its own tasks, and the hosts' queues that it rings.

Measured with celery and kombu 5.7, redis-py 8.1, Redis 7.0; agent/link/worker.py is the other end of a host's queue and
has the same transport options, since they decide the names of the keys.
"""

import os
from typing import Any, Final

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

RING_SECONDS: Final = 2.0
EXPIRE_SECONDS: Final = 10.0
PRESENCE_SECONDS: Final = 5.0
COLLECT_SECONDS: Final = 3600.0
RETENTION_SECONDS: Final = 600.0


def broker_url(redis_url: str) -> str:
    """The address of Redis as kombu writes it."""
    return "redis+socket://" + redis_url.removeprefix("unix://") if redis_url.startswith("unix://") else redis_url


class _Config:
    """Read when first needed, so that importing this module needs no settings."""

    task_default_queue = "controlplane"
    # a host's agent has no rights but on its own queue, where these options fix the key and the commands
    broker_transport_options: Final[dict[str, Any]] = {
        "ack_emulation": False,
        "priority_steps": [0],
        "health_check_interval": 10,
        "polling_interval": 30,
    }
    broker_connection_retry_on_startup = True
    broker_connection_max_retries = None
    result_backend = None
    task_ignore_result = True
    accept_content: Final = ["json"]
    task_serializer = "json"
    worker_prefetch_multiplier = 1
    worker_enable_remote_control = False
    worker_send_task_events = False
    worker_hijack_root_logger = False
    worker_cancel_long_running_tasks_on_connection_loss = False
    enable_utc = True
    beat_schedule: Final[dict[str, Any]] = {
        "ring-unacknowledged": {"task": "orders.ring_unacknowledged", "schedule": RING_SECONDS},
        "expire": {"task": "orders.expire", "schedule": EXPIRE_SECONDS},
        "presence": {"task": "hosts.sweep_presence", "schedule": PRESENCE_SECONDS},
        "registry": {"task": "registry.collect", "schedule": COLLECT_SECONDS},
        "retention": {"task": "overview.retention", "schedule": RETENTION_SECONDS},
    }

    @property
    def broker_url(self) -> str:
        from django.conf import settings

        return broker_url(settings.REDIS_URL)


app = Celery("controlplane", set_as_current=True)
app.config_from_object(_Config())
app.autodiscover_tasks()
