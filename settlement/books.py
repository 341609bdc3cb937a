"""What the desks need of a ledger: its database to read, and its writer to act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ledger.store import Database
    from ledger.writer import Writer


class Books(Protocol):
    """A `ledger.book.Ledger`, or a database that is only read."""

    @property
    def database(self) -> Database:
        """Where everything stands."""

    @property
    def writer(self) -> Writer:
        """The one writer; who only reads has none, and says so."""
