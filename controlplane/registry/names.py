"""Names, tags and digests as the OCI distribution specification 1.1 spells them. No IO."""

import re

NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LONGEST_NAME = 255


def is_name(text: str) -> bool:
    """Whether a repository may be called so."""
    return len(text) <= LONGEST_NAME and NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether a manifest may be tagged so."""
    return TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 digest, the only algorithm that we take."""
    return DIGEST.fullmatch(text) is not None
