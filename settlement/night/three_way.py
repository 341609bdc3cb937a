"""Making the three-way report of a settled night, and keeping it: once, and again only where banks have told something new since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from keys.clock import Day, date_of
from settlement.errors import SettlementError
from settlement.night import bank_side, book_side, card_side, saving_side, store
from settlement.night.books import Books
from settlement.night.card_side import CardSide, look
from settlement.night.counters.holes import raise_holes
from settlement.night.model import Side, ThreeWay
from settlement.store import items_of, settlement_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.book import Ledger
    from ledger.store import Connection
    from ledger.transfer import Transfer
    from ledger.writer import PostedRows, Transaction
    from settlement.night.books import Held
    from settlement.night.card_side import Gap
    from settlement.night.model import Check


class Compared(NamedTuple):
    """A report, and the cards that were looked at for it; none where an earlier version's figures stand."""

    report: ThreeWay
    cards: CardSide


def compared(ledger: Ledger, day: Day, *, whole: bool = False) -> Compared:
    """The report of a settled night: cards and books as the window left them, banks as far as statements go.

    What an earlier version says of cards and books stands, where it left nothing unexplained; `whole` looks again, at all that ever was
    posted, as the last night of each month does. Raises SettlementError.
    """
    held = ledger.balances_at()
    whole_now = whole or _ends_month(day)
    with ledger.database.transaction() as connection:
        before = store.last_report(connection, day)
        kept = ThreeWay.of_body(day, before[1]).checks if before else ()
        still = [check for check in kept if check.side is not Side.BANK]
        cards = CardSide([], [])
        if whole or not still or any(check.unexplained for check in still):
            cards = look(connection, day, whole=whole_now)
            still = _cards_and_books(ledger, held, connection, day, cards, whole=whole_now)
        banks = (*bank_side.compare(connection, day), *saving_side.compare(connection, day))
        return Compared(ThreeWay(day, (*still, *banks)), cards)


def _ends_month(day: Day) -> bool:
    return date_of(Day(day + 1)).day == 1


def _cards_and_books(
    ledger: Ledger, held: Held, connection: Connection, day: Day, cards: CardSide, *, whole: bool = True
) -> list[Check]:
    settlement = settlement_of(connection, day)
    window = next((one for one in ledger.windows() if one.business_date == day), None)
    if settlement is None or window is None:
        raise SettlementError("only a settled window has a three-way report: run its night")
    books = Books.of(held, connection, window, settlement)
    items = items_of(connection, day)
    return [
        *card_side.compare(books, cards),
        *book_side.compare(ledger, connection, window, books, items, whole=whole),
    ]


@dataclass(slots=True)
class KeepReport:
    """The unit that keeps a report, and raises what cards lack; one that says what the newest kept version says is not kept again. Answers the version."""

    report: ThreeWay
    gaps: Sequence[Gap] = ()
    document: bytes = field(default=b"", init=False)
    _version: int = field(default=0, init=False)
    _known: bool = field(default=False, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Look whether it is known; moves no money."""
        before = store.last_report(tx.connection, self.report.business_date)
        self._known = before is not None and before[1] == self.report.body()
        self._version = 0 if before is None else before[0]
        return ()

    def settle(self, _posted: PostedRows, tx: Transaction) -> int:
        """Keep it, and have the chain cover it."""
        raise_holes(tx, self.gaps)
        if not self._known:
            self._version += 1
            self.document = self.report.body()
            sha256 = hashlib.sha256(self.document).hexdigest()
            store.insert_report(tx.connection, self.report, self._version, sha256)
        return self._version
