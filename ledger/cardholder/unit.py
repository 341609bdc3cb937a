"""A piece of the cardholder's work as a unit of the ledger's writer: read, decided and written in the commit that answers (law 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.book import Ledger
    from ledger.store import Connection
    from ledger.transaction import PostedRows, Transaction
    from ledger.transfer import Transfer

_T = TypeVar("_T")


class Noted(Generic[_T]):
    """Implements `ledger.writer.Unit`: moves no money; what `work` writes and gives stands once it is durable."""

    def __init__(self, work: Callable[[Connection], _T]) -> None:
        self.document = b""
        self._work = work
        self._given: list[_T] = []

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Do the work; whatever it raises takes back what it wrote."""
        self._given = [self._work(tx.connection)]
        return ()

    def settle(self, _posted: PostedRows, _tx: Transaction) -> _T:
        """What the work gave."""
        return self._given[0]


def noted(ledger: Ledger, work: Callable[[Connection], _T]) -> _T:
    """Have work done by the writer; durable when this returns. Raises Overloaded, LedgerStopped, and what the work raises."""
    given: _T = ledger.writer.submit(Noted(work)).result()
    return given
