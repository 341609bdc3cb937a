"""The shelf: signed bundles as they were issued, and which of them a terminal needs next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.bundles import store
from ledger.bundles.store import Issued
from ledger.errors import BundleUnknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.bundle import Bundle, BundleKind
    from keys.clock import UnixMs
    from ledger.store import Connection, Database

CHAIN_MAX: Final = 8
"""A terminal that is further behind than so many deltas gets the full list."""


@dataclass(frozen=True, slots=True)
class Next:
    """The bundle that a terminal needs next."""

    kind: BundleKind
    number: int
    base: int
    data: bytes

    @property
    def tag(self) -> str:
        """Its name among all bundles, for HTTP's ETag."""
        return f'"{self.kind}-{self.number}-{self.base}"'


class Shelf:
    """Bundles in the ledger's database; other processes may add to it at any time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, kind: BundleKind, make: Callable[[int], list[tuple[Bundle, bytes]]], at: UnixMs
    ) -> list[Issued]:
        """Issue under the next number of a kind: `make` gives the bundles of that number, a full one and perhaps its delta.

        Durable when this returns; two processes never take one number.
        """
        with self._database.writing() as connection:
            made = make(store.last_number(connection, kind) + 1)
            rows = [
                Issued(kind, one.number, one.base, one.audience, one.valid_from, at, len(data))
                for one, data in made
            ]
            for row, (_, data) in zip(rows, made, strict=True):
                store.insert_bundle(connection, row, data)
        return rows

    def all(self) -> list[Issued]:
        """Every bundle, by kind and number."""
        with self._database.transaction() as connection:
            return store.all_bundles(connection)

    def data(self, kind: BundleKind, number: int, base: int = 0) -> bytes:
        """A bundle's signed bytes; raises BundleUnknown."""
        with self._database.transaction() as connection:
            found = store.body_of(connection, kind, number, base)
        if found is None:
            raise BundleUnknown(f"there is no {kind} {number}: look at the list of bundles")
        return found

    def newest(self, audience: str) -> dict[str, int]:
        """The newest number of each kind for a class of terminals."""
        with self._database.transaction() as connection:
            return {one.kind.value: one.number for one in store.full_bundles(connection, audience)}

    def next(
        self, kind: BundleKind, audience: str, have: int, now: UnixMs, *, full: bool = False
    ) -> Next | None:
        """What a terminal of a class that has a number needs next; None where it has everything.

        A delta where one leads on from its number, and `full` is not asked for. Bundles that will never be in force are left out.
        """
        with self._database.transaction() as connection:
            wanted = [one for one in store.full_bundles(connection, audience, kind) if one.number > have]
            needed = [one for place, one in enumerate(wanted) if not _replaced(one, wanted[place + 1 :], now)]
            if not needed:
                return None
            number, base = needed[0].number, 0
            delta = 0 if full else store.delta_on(connection, kind, have)
            if delta and needed[-1].number - have <= CHAIN_MAX:
                number, base = delta, have
            return _found(connection, kind, number, base)


def _replaced(one: Issued, later: list[Issued], now: UnixMs) -> bool:
    """True where a later number holds from the same date on, or from an earlier one."""
    return any(other.valid_from <= max(one.valid_from, now) for other in later)


def _found(connection: Connection, kind: BundleKind, number: int, base: int) -> Next:
    data = store.body_of(connection, kind, number, base)
    if data is None:
        raise BundleUnknown(f"{kind} {number} is listed and not there: restore the ledger from backup")
    return Next(kind, number, base, data)
