"""What an error quotes of its input: the beginning, never all of it, so that no input decides how much stands in a log or on a screen."""

from __future__ import annotations

from typing import Final

QUOTED_MAX: Final = 60
"""Characters of a value."""
SAID_MAX: Final = 200
"""Characters of what a library says of an input."""
_MORE: Final = "…"


def quoted(value: object, characters: int = QUOTED_MAX) -> str:
    """A value as it would be written in Python, cut; a whole number that is too long to be written is told by its size."""
    try:
        told = repr(value)
    except ValueError:  # Python writes no number of over 4,300 digits
        return "a value with too many digits"
    return cut(told, characters)


def cut(text: object, characters: int = SAID_MAX) -> str:
    """A text's beginning, with a mark where more stood behind it."""
    told = str(text)
    return told if len(told) <= characters else told[: characters - 1] + _MORE
