"""The laws of the design, watched from outside after every step: each by an oracle of its own, cheap enough to ask each time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from card.layout import TapKind
from hebat.simulate.answers import Answers
from hebat.simulate.books import Books
from hebat.simulate.breach import NO_LAW, ROUND, Breach
from hebat.simulate.counting import Count, need_shown
from hebat.simulate.riding import BEHIND_MS, Riding
from ledger.chain import store
from ledger.intake import store as taken
from ledger.intake.quarantine import store as quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hebat.issuing import Issued
    from hebat.simulate.field import Committed, Truth
    from hebat.simulate.server import Server
    from keys.clock import Day
    from ledger.qris.classes import MerchantClass

_GIVEN: Final = frozenset({TapKind.LOAD, TapKind.REFUND})


class Watch:
    """What has been seen so far, and what it must agree with: `books` row by row, `answers` as terminals had them, `count` at the end."""

    def __init__(
        self, server: Server, truth: Truth, cards: Sequence[Issued], merchants: Mapping[int, MerchantClass]
    ) -> None:
        self._server = server
        self.books = Books(truth, cards, merchants)
        self.answers = Answers(server)
        self.count = Count(server, truth, self.books)
        self.riding = Riding({card.uid: card.identity.concession for card in cards})
        self.settled: list[Day] = []
        """Business dates whose night has run."""
        self.blocked: dict[int, int] = {}
        """Cards that are blocked, and since when."""

    def look(self) -> None:
        """Whatever came into the books since the last look; raises Breach."""
        if not self._server.is_well:
            return
        ledger = self._server.city.ledger
        head = ledger.head()
        if head.block == self.books.block:
            return
        if head.block < self.books.block:
            raise Breach(4, f"the journal ends at block {head.block}, and had {self.books.block}")
        with ledger.database.transaction() as connection:
            blocks = list(store.read_blocks(connection, self.books.block))
            rows = list(store.read_rows(connection, self.books.position + 1))
        for block in blocks:
            self.books.take(block, rows)
        self.books.compare(ledger, self._torn)

    def _torn(self, uid: int) -> int:
        """What is held for a card's loads and refunds whose commit nobody saw, in sen."""
        intents = self._server.city.intake.intents.of(uid)
        return sum(ROUND * one.record.amount for one in intents if one.record.kind in _GIVEN)

    def committed(self, uid: int, tmc: int, commit: Committed, contact_at: int) -> None:
        """A chip has just committed, at a terminal that last heard of blocked cards at a moment; raises Breach."""
        self.books.need_below_ceiling(uid, commit)
        blocked = self.blocked.get(uid) if commit.terminal in self.answers.in_touch else None
        if commit.delta < 0 and blocked is not None and contact_at > blocked + BEHIND_MS:
            raise Breach(NO_LAW, f"terminal {commit.terminal} took a card that its hotlist names")
        given = self.answers.given_fares[commit.terminal]
        wrong = self.riding.rode(uid, tmc, commit, given) if commit.kind is TapKind.FARE else ""
        if wrong:
            raise Breach(NO_LAW, wrong)

    def day_over(self) -> None:
        """The expensive ones: closed windows as they were, engine against journal, quarantine whole; raises Breach."""
        ledger = self._server.city.ledger
        for window in ledger.windows():
            rows = ledger.rows(window.business_date)
            found = hashlib.sha256(rows.tobytes()).digest()
            if self.books.closed.setdefault(window.business_date, found) != found:
                raise Breach(9, f"the closed business date {window.business_date} has changed")
        ledger.rebuild_check()
        self._need_subsidies()
        if self.settled and (wrong := self.books.owing.wrong(self.settled[-1])):
            raise Breach(7, wrong)
        with ledger.database.transaction() as connection:
            results = [one for batch in taken.all_batches(connection) for one in batch.results]
            kept = quarantine.read_quarantine(connection)
            need_shown(list(taken.all_batches(connection)), quarantine.read_exceptions(connection))
        if sum(one["result"] == "quarantined" for one in results) != len(kept):
            raise Breach(6, f"{len(kept)} records are kept, and more or fewer were said to be")

    def _need_subsidies(self) -> None:
        """The city pays what a concession leaves: for each ride in the books, and for no other."""
        wanted = {
            name: rupiah * ROUND
            for name, rupiah in self.riding.subsidies.items()
            if name in self.books.posted
        }
        if wanted != self.books.subsidies:
            odd = dict(set(wanted.items()) ^ set(self.books.subsidies.items()))
            raise Breach(NO_LAW, f"the subsidies of {sorted(odd)} are not what the concessions leave")
