"""JSON logs on stderr, with everything secret taken out before a line is written."""

import logging
import re
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog

REDACTED = "[redacted]"
# Whole words of a field's name, so that `key_id` and `tokens_count` stay readable.
SECRET_NAMES = re.compile(
    r"(^|_|-)(password|passwd|secret|token|authorization|cookie|set-cookie|join_string|private_key|csrftoken|sessionid)$",
    re.IGNORECASE,
)
SECRET_VALUES = re.compile(
    r"ls_[A-Za-z0-9]{20,}"  # API tokens
    r"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|https?://[^\s#]+#[0-9a-fA-F]{64}#[A-Za-z0-9_-]+"  # join strings
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"  # user:password of an address
)


def redact(value: Any) -> Any:
    """A copy of `value` without secrets: by the name of the field, and by the shape of the text."""
    if isinstance(value, str):
        return SECRET_VALUES.sub(REDACTED, value)
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {
            key: REDACTED if SECRET_NAMES.search(str(key)) and item else redact(item) for key, item in value.items()
        }
    if isinstance(value, Sequence):
        return [redact(item) for item in value]
    return value


def redactor(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """structlog processor: the last step before rendering."""
    clean: Mapping[str, Any] = redact(dict(event))
    return clean


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def dict_config(level: str) -> dict[str, Any]:
    """`LOGGING` of Django: one handler, JSON lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    redactor,
                    structlog.processors.JSONRenderer(default=str),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handler would write each server error a second time, unredacted.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
        },
    }


def configure() -> None:
    """Send structlog's own loggers the same way as the standard library's."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
