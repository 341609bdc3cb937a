"""Value counted on all chips and in all accounts, once everything is healed; and what lies open, with whom it waits for (laws 2, 6, 8)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from card.batch import RELAYED_FROM
from hebat.simulate.breach import ROUND, Breach
from ledger.chart import Code, split
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.issuing import Issued
    from hebat.simulate.books import Books
    from hebat.simulate.field import Truth
    from hebat.simulate.server import Server
    from ledger.intake.quarantine.store import ExceptionRow
    from ledger.intake.store import BatchRow


def need_shown(batches: Sequence[BatchRow], exceptions: Sequence[ExceptionRow]) -> None:
    """Numbers that a terminal left out are shown to somebody."""
    shown = {(one.terminal, one.sequence) for one in exceptions if one.kind is ExceptionKind.CHAIN_BROKEN}
    last: defaultdict[int, int] = defaultdict(int)
    for one in sorted(batches, key=lambda batch: batch.first_sequence):
        if one.first_sequence >= RELAYED_FROM:
            continue
        if one.first_sequence != last[one.terminal] + 1 and (one.terminal, one.first_sequence) not in shown:
            raise Breach(
                6,
                f"terminal {one.terminal} left out numbers before {one.first_sequence}, and nobody is told",
            )
        last[one.terminal] = one.last_sequence


class Count:
    """Counts chips against books."""

    def __init__(self, server: Server, truth: Truth, books: Books) -> None:
        self._server = server
        self._truth = truth
        self._books = books

    def everything(self, cards: Sequence[Issued]) -> None:
        """At the end, with everything healed: every commit of every chip is in the books, or waits there for a witness that only a rogue was, and every purse holds what its chip does."""
        ledger = self._server.city.ledger
        missing: defaultdict[int, int] = defaultdict(int)
        unseen = self.seen_by_rogues_only()
        for (uid, tmc), seen in self._truth.commits.items():
            if (uid, tmc) in self._books.posted or not seen.delta:
                continue
            missing[uid] += seen.delta * ROUND
            if seen.terminal not in self._books.rogues and (uid, tmc) not in unseen:
                raise Breach(
                    6,
                    f"card {uid:014x} counter {tmc} ({seen.delta} rupiah at terminal {seen.terminal}) is nowhere in the books",
                )
        for card in cards:
            account = self._books.purses[card.uid]
            held = ledger.balance(account).net(account)
            chip = card.chip_balance * ROUND - missing[card.uid]
            if held != chip:
                raise Breach(2, f"card {card.uid:014x} holds {chip} sen, its purse {held}")
        open_holds = sum(
            one.debits_pending + one.credits_pending
            for account, one in ledger.balances().items()
            if split(account).code is Code.PURSE
        )
        if open_holds != (waiting := sum(unseen.values())):
            raise Breach(8, f"{open_holds} sen are held, and {waiting} sen of loads are under way")

    def seen_by_rogues_only(self) -> Counter[tuple[int, int]]:
        """By UID and counter, intents that lie open in quarantine, as they must, and the sen that are held for each: whoever could prove that it happened (the card's next commit), or that it did not (another at its own counter), is a rogue and has not said so."""
        with self._server.city.ledger.database.transaction() as connection:
            kept = quarantine.read_quarantine(connection, only_open=True)
        found = Counter[tuple[int, int]]()
        for one in kept:
            unsaid = self._is_unsaid(one.uid, one.tmc) or self._is_unsaid(one.uid, one.tmc + 1)
            if one.reason is Reason.UNCONFIRMED and (one.uid, one.tmc) not in self._books.posted and unsaid:
                found[one.uid, one.tmc] += max(0, one.amount)  # a load: what a card paid is held nowhere
        return found

    def _is_unsaid(self, uid: int, tmc: int) -> bool:
        """Whether a chip made a commit at a rogue, and it is not in the books."""
        seen = self._truth.commits.get((uid, tmc))
        return (
            seen is not None and seen.terminal in self._books.rogues and (uid, tmc) not in self._books.posted
        )
