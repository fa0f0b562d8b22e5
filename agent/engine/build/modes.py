"""``--chmod``: octal, or symbolic as chmod(1) has it. No IO."""

import re

from agent.engine.errors import Invalid

CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXst]*)+)")
ACTION = re.compile(r"([-+=])([rwxXst]*)")
BITS = {"r": 0o444, "w": 0o222, "x": 0o111}
WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007}


def check(text: str) -> None:
    """Refuse what is no mode; raises Invalid."""
    if re.fullmatch(r"[0-7]{1,5}", text) and int(text, 8) <= 0o7777:
        return
    if not all(CLAUSE.fullmatch(clause) for clause in text.split(",")):
        raise Invalid(f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777")


def applied(text: str, mode: int, *, folder: bool) -> int:
    """A file's permission bits changed as the text says."""
    if text.isdigit():
        return int(text, 8)
    for clause in text.split(","):
        found = CLAUSE.fullmatch(clause)
        assert found is not None
        who = found.group(1)
        mask = 0o7777 if not who or "a" in who else sum(WHO[each] for each in set(who))
        for sign, letters in ACTION.findall(found.group(2)):
            bits = _bits(letters, mode, folder=folder) & (mask | 0o1000)
            if sign == "+":
                mode |= bits
            elif sign == "-":
                mode &= ~bits
            else:
                mode = mode & ~(mask & 0o777) | bits
    return mode & 0o7777


def _bits(letters: str, mode: int, *, folder: bool) -> int:
    bits = 0
    for letter in letters:
        if letter == "X":
            bits |= BITS["x"] if folder or mode & 0o111 else 0
        elif letter == "s":
            bits |= 0o6000
        elif letter == "t":
            bits |= 0o1000
        else:
            bits |= BITS[letter]
    return bits
