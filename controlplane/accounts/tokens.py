"""What an API token looks like: `ls_`, 43 random characters, 6 of checksum.

The prefix and the checksum let secret scanners tell a real token from a word, and let us refuse a mistyped one without
asking the database. Pure: no IO.
"""

import hashlib
import secrets
import string
import zlib

PREFIX = "ls_"
_ALPHABET = string.digits + string.ascii_letters
_BODY, _SUM = 43, 6


def make() -> str:
    """A new token of 256 bits."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_BODY))
    return f"{PREFIX}{body}{_checksum(body)}"


def well_formed(text: str) -> bool:
    """Whether it can be one of ours."""
    if not text.startswith(PREFIX) or len(text) != len(PREFIX) + _BODY + _SUM or not text.isascii():
        return False
    body, checksum = text[len(PREFIX) : -_SUM], text[-_SUM:]
    return secrets.compare_digest(_checksum(body), checksum)


def digest(text: str) -> str:
    """What is stored. A plain hash is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()


def hint(text: str) -> str:
    """The first characters, by which a person recognises a token."""
    return text[:8]


def _checksum(body: str) -> str:
    left, text = zlib.crc32(body.encode()), ""
    for _ in range(_SUM):
        left, digit = divmod(left, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
