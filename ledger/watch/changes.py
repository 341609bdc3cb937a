"""Memory of what the database holds, for as long as nobody changed it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ledger.watch import store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledger.store import Database

_T = TypeVar("_T")


class Changes:
    """The counts of changes, read from the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self) -> Mapping[str, int]:
        """How often each subject was changed until now, by whichever process; raises StorageError."""
        with self._database.transaction() as connection:
            return store.counts(connection)


class Remembered(Generic[_T]):
    """Something that is made from the database, and made anew once a subject was changed."""

    def __init__(self, subject: str, make: Callable[[], _T]) -> None:
        self._subject = subject
        self._make = make
        self._held: tuple[int, _T] | None = None

    def as_of(self, counts: Mapping[str, int]) -> _T:
        """What holds at counts that were read just before: whatever is made after them is as new as they are, or newer."""
        count, held = counts.get(self._subject, 0), self._held
        if held is None or held[0] != count:
            held = self._held = (count, self._make())
        return held[1]
