"""Card against ledger: counters that are missing, and balances that are not what the card last showed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from keys.money import Sen, display
from ledger.chart import purse
from settlement.night import store
from settlement.night.model import Check, Named, Side, Unit, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.clock import Day
    from ledger.chart import AccountId
    from ledger.store import Connection
    from settlement.night.books import Books

COUNTERS_MAX: Final = 20
"""Missing counters that an exception names one by one."""


class Gap(NamedTuple):
    """A card whose counters are not all there."""

    partition: int
    uid: int
    card_number: int
    missing: tuple[int, ...]
    kept: tuple[int, ...]  # those of them that lie in quarantine

    @property
    def name(self) -> str:
        """How staff name the card."""
        return f"card {self.card_number}"


def compare(connection: Connection, day: Day, books: Books) -> list[Check]:
    """The cards that were tapped in a window, as of its end."""
    gaps = [_gap(connection, day, row) for row in store.gaps(connection, day)]
    return [_gaps(gaps, store.cards_of(connection, day)), _balances(connection, day, books, gaps)]


def _gap(connection: Connection, day: Day, row: store.GapRow) -> Gap:
    have = store.counters(connection, day, row.partition, row.uid)
    missing = sorted(set(range(row.first, row.last + 1)) - have)
    kept = store.in_quarantine(connection, row.uid)
    return Gap(
        row.partition, row.uid, row.card_number, tuple(missing), tuple(tmc for tmc in missing if tmc in kept)
    )


def _gaps(gaps: list[Gap], cards: int) -> Check:
    named = [Named(gap.name, len(gap.missing), _what_is_missing(gap)) for gap in gaps]
    return Check(
        Side.CARD, "missing counters", Unit.COUNT, sum(len(gap.missing) for gap in gaps), cards, listed(named)
    )


def _what_is_missing(gap: Gap) -> str:
    some = ", ".join(map(str, gap.missing[:COUNTERS_MAX]))
    more = f" and {len(gap.missing) - COUNTERS_MAX} more" if len(gap.missing) > COUNTERS_MAX else ""
    if gap.kept == gap.missing:
        return f"counters {some}{more}: in quarantine"
    return f"counters {some}{more}: no terminal has sent them; {len(gap.kept)} of them in quarantine"


def _balances(connection: Connection, day: Day, books: Books, gaps: list[Gap]) -> Check:
    incomplete = {gap.uid: gap for gap in gaps}
    figure, checked, named = 0, 0, []
    for row, difference in _differences(connection, day, books):
        checked += 1
        figure += abs(difference)
        gap = incomplete.get(row.uid)
        if difference and gap is not None:
            told = f"the books hold {display(Sen(difference))} more than the card showed; {_what_is_missing(gap)}"
            named.append(Named(gap.name, abs(difference), told))
        elif difference:
            strangest = (
                f"card {row.card_number}: the books hold {display(Sen(difference))} more than the card showed"
            )
            named.append(Named("", 0, strangest))
    text = "; ".join(one.text for one in named if not one.name)[:2_000]
    return Check(
        Side.CARD, "balances against last evidence", Unit.SEN, figure, checked,
        listed(one for one in named if one.name), text,
    )  # fmt: skip


def _differences(connection: Connection, day: Day, books: Books) -> Iterator[tuple[store.EvidenceRow, int]]:
    """Each card's last evidence in the window, and what the books hold more than that."""
    rows = store.last_evidence(connection, day)
    accounts: list[AccountId] = [purse(row.card_number) for row in rows]
    held = books.at_closing(np.array(accounts, np.int64))
    for row, sen in zip(rows, held.tolist(), strict=True):
        yield row, sen - row.balance_after
