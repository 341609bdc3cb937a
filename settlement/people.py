"""Who did it. Names are compared as they are written, so that one person has one name only."""

from __future__ import annotations

import re
from typing import Final, NewType

from settlement.errors import PersonInvalid

Person = NewType("Person", str)
"""A person's name of the console or the command line, or `NIGHT`."""

NIGHT: Final = Person("night")
"""The night itself: what a rule did, no person answers for by name."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")


def person(name: str) -> Person:
    """A person by name; raises PersonInvalid for the night's own name, and for one that is written in another way."""
    if not _NAME.fullmatch(name) or name == NIGHT:
        raise PersonInvalid(
            f"{name[:64]!r} is nobody's name: 2 to 64 small letters, digits and . _ @ -, beginning with a letter or digit,"
            f" and not {NIGHT!r}"
        )
    return Person(name)
