"""Many keys, a portion at a time: one question to a database takes only so many values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_T = TypeVar("_T")
KEYS_MAX: Final = 400
"""Keys in one question: SQLite takes 32,766 values, and a key has up to three."""


def portions(keys: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Keys in their order, at most `KEYS_MAX` at a time."""
    for start in range(0, len(keys), KEYS_MAX):
        yield keys[start : start + KEYS_MAX]
