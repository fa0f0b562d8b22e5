"""The one place that knows which HTTP status an engine error has.

Docker answers every error with ``{"message": …}``; clients read nothing else. Source: moby ``httpstatus``.
"""

import errno
import logging

from aiohttp import web

from agent.engine import errors
from agent.engine.api.answers import reply

log = logging.getLogger(__name__)

STATUSES: dict[type[errors.EngineError], int] = {
    errors.NotModified: 304,
    errors.Invalid: 400,
    errors.Unauthorized: 401,
    errors.Denied: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.System: 500,
    errors.NotSupported: 501,
    errors.Unavailable: 503,
    errors.NoSpace: 507,
}


def status(error: BaseException) -> int:
    """The HTTP status of an error; 500 for what nobody foresaw."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return 507
    return 500


def text(error: BaseException) -> str:
    """What a client is told; never empty."""
    return str(error) or type(error).__name__


def answer(error: BaseException) -> web.Response:
    """An error as a whole answer. What nobody foresaw is logged with its trace."""
    if isinstance(error, web.HTTPException):
        # The framework's own: a body that is too large, a header that cannot be.
        return reply({"message": error.text or error.reason}, status=error.status)
    code = status(error)
    if not isinstance(error, errors.EngineError):
        log.error("unexpected error", exc_info=error)
    if code == 304:
        return web.Response(status=304)
    return reply({"message": text(error)}, status=code)
