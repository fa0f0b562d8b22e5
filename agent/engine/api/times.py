"""Times in a query: seconds since the epoch with or without a fraction, or RFC 3339."""

import json
import re
from datetime import UTC, datetime

from agent.engine.errors import Invalid

_SECONDS = re.compile(r"(-?\d{1,12})(?:\.(\d{1,9})\d*)?")


def nanoseconds(text: str, what: str) -> int:
    """A time as nanoseconds since the epoch; 0 where the text is empty or "0".

    Raises:
        Invalid: it is no time.
    """
    if not text:
        return 0
    found = _SECONDS.fullmatch(text)
    if found is not None:
        return int(found[1]) * 1_000_000_000 + int((found[2] or "").ljust(9, "0"))
    try:
        whole, _, rest = text.partition(".")
        fraction = re.match(r"\d+", rest)
        zone = rest[fraction.end() :] if fraction else ""
        moment = datetime.fromisoformat(whole + zone)
    except ValueError as error:
        words = f"strconv.ParseInt: parsing {json.dumps(text)}: invalid syntax"
        raise Invalid(f'invalid value for "{what}": {words}') from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    digits = fraction[0][:9].ljust(9, "0") if fraction else "0"
    return int(moment.timestamp()) * 1_000_000_000 + int(digits)
