"""The engine's error tree.

    EngineError
    ├── NotFound      no object of that name                      (Docker: 404)
    ├── Conflict      the object's state or name forbids it       (409)
    ├── Invalid       the request itself is wrong                 (400)
    ├── NotModified   it is already so                            (304)
    ├── Denied        allowed to nobody, or not to this caller    (403)
    ├── Unauthorized  a registry wants other credentials          (401)
    ├── Unavailable   something that we need does not answer      (503)
    ├── NotSupported  what this object cannot do                  (501)
    ├── NoSpace       the disk is full                            (507)
    └── System        the kernel or the runtime refused           (500)

A message names what was wrong, with which object, and what to do. Only ``api/errors.py`` knows HTTP statuses.
"""


class EngineError(Exception):
    """Base of every error that a client may read; ``str(error)`` is the text that it reads."""


class NotFound(EngineError):
    """No object of that name or id."""


class Conflict(EngineError):
    """The object's state, or its name being taken, forbids the operation."""


class Invalid(EngineError):
    """The request is malformed, or asks for what cannot be."""


class NotModified(EngineError):
    """The object is already as asked."""


class Denied(EngineError):
    """The operation is forbidden."""


class Unauthorized(EngineError):
    """A registry refused the credentials."""


class Unavailable(EngineError):
    """A registry, plugin or kernel service does not answer."""


class NotSupported(EngineError):
    """The object is of a kind that cannot do this."""


class NoSpace(EngineError):
    """No space left on the device that holds the data root."""


class System(EngineError):
    """The kernel or the OCI runtime refused."""
