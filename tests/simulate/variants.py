"""The real code, broken in one place at a time, as somebody might break it: the simulator must see each of them.

Each patch is a function of ours in another's place; what it was stands behind `was`. None of this is in the product.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Broken(NamedTuple):
    """A variant: what is wrong with it, and how it is made."""

    name: str
    made: Callable[[], AbstractContextManager[object]]


VARIANTS: Final[list[Broken]] = []


def broken(name: str) -> Callable[[Callable[[], Iterator[None]]], None]:
    """Enter a variant into the table."""

    def entered(function: Callable[[], Iterator[None]]) -> None:
        VARIANTS.append(Broken(name, contextmanager(function)))

    return entered


def instead(owner: Any, name: str, function: Any) -> AbstractContextManager[object]:
    """Put something into another's place."""
    return mock.patch.object(owner, name, function)
