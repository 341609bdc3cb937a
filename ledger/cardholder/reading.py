"""What a card's page tells: balances, what is under way, the last taps, spending by month, transfers, validity. Reads only.

Balances are the books'. What a chip says of itself (validity, rider class, journey) is read from the newest transaction that it signed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from card import evidence
from card.batch import decode_frame, decode_record
from card.errors import CardError
from keys import envelope
from keys.clock import Day, UnixMs, date_of, day_of, local
from keys.errors import KeysError
from keys.money import Sen
from ledger import chart
from ledger.bundles.blocks import block_of
from ledger.cardholder import store
from ledger.cardholder.shown import Month, Shown, Summary, Tap, Transfers
from ledger.chain.store import read_documents
from ledger.chart import purse
from ledger.intake import store as intake
from ledger.wallets.loads.store import waiting_of

if TYPE_CHECKING:
    from datetime import date

    from card.evidence import CardTransaction
    from keys.clock import Clock
    from ledger.book import Ledger
    from ledger.chart import AccountId
    from ledger.intake.cards.issued import Card
    from ledger.intake.store import TapRow
    from ledger.wallets.loads.store import Ordered

TAPS_SHOWN: Final = 10
MONTHS_SHOWN: Final = 6
CARDS_KEPT: Final = 1024
"""Cards whose page need not be read again while nothing about them changed."""
SIGNED_KEPT: Final = 4096
"""Transactions whose signed bytes need not be read again."""
BANDS: Final = tuple(Sen(100 * rupiah) for rupiah in (0, 4_000, 20_000, 50_000, 100_000, 500_000))
"""Bounds, in sen, between which a bare scan tells a balance: the second is about a ride."""


class City(Protocol):
    """What the page asks of the city beyond the ledger: the composition root knows."""

    def transfers(self, signed: CardTransaction, tariff: str, now: UnixMs) -> Transfers | None:
        """The transfers that a card has left after a ride; None for none."""

    def payee(self, terminal: int) -> str:
        """Who owns a terminal, as people know them; "" where nobody knows."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction as the chip signed it, and the tariff that the terminal named."""

    transaction: CardTransaction
    tariff: str


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a card, and from what it follows."""

    key: object
    shown: Shown
    signed: Signed | None


def wallet(card: Card) -> AccountId:
    """The wallet account of a card."""
    return chart.wallet(card.card_number)


class Reading:
    """Reads cards' pages from a ledger."""

    def __init__(self, ledger: Ledger, city: City, clock: Clock) -> None:
        self._ledger = ledger
        self._city = city
        self._clock = clock
        self._read: dict[int, _Read] = {}
        self._lock = threading.Lock()
        self._signed = lru_cache(SIGNED_KEPT)(self._read_signed)

    def summary(self, card: Card) -> Summary:
        """What anybody who sees the card may see."""
        account = purse(card.card_number)
        balance = self._ledger.balance(account).net(account)
        low = max((one for one in BANDS if one <= balance), default=Sen(0))
        high = next((one for one in BANDS if one > max(balance, 0)), None)
        with self._ledger.database.transaction() as connection:
            return Summary(low, high, block_of(connection, card) is not None)

    def shown(self, card: Card) -> Shown:
        """What its holder may see."""
        now = self._clock.now()
        key, before = self._key(card, now), self._read.get(card.uid)
        if before is None or before.key != key:
            before = _Read(key, *self._read_anew(card, now))
            self._remember(card.uid, before)
        transfers = self._transfers(before.signed, now)
        if transfers != before.shown.transfers:
            before = replace(before, shown=replace(before.shown, transfers=transfers))
            self._remember(card.uid, before)
        return before.shown

    def _key(self, card: Card, now: UnixMs) -> object:
        """What all that is shown follows from, besides the clock: while it is the same, nothing has to be read again.

        Rows of taps, corrections and blocks are only ever added to (a block ends once): their numbers tell whether there is anything new.
        """
        sums = self._ledger.balance(purse(card.card_number)), self._ledger.balance(wallet(card))
        with self._ledger.database.transaction() as connection:
            return card, sums, _first_month(now), store.mark_of(connection, card.partition, card.uid)

    def _remember(self, uid: int, read: _Read) -> None:
        with self._lock:
            self._read.pop(uid, None)
            self._read[uid] = read
            if len(self._read) > CARDS_KEPT:
                self._read.pop(next(iter(self._read)))

    def _read_anew(self, card: Card, now: UnixMs) -> tuple[Shown, Signed | None]:
        account, online = purse(card.card_number), wallet(card)
        value, held = self._ledger.balance(account), self._ledger.balance(online)
        with self._ledger.database.transaction() as connection:
            rows = intake.taps_of(connection, card.partition, card.uid, TAPS_SHOWN)
            since = rows[-1].tmc if rows else 0
            put_right = store.corrected(connection, card.partition, card.uid, since)
            days = store.spent_by_day(connection, card.partition, card.uid, _first_month(now))
            block = block_of(connection, card)
            waiting = waiting_of(connection, card.partition, card.uid) if value.credits_pending else None
        taps = tuple(self._tap(row, put_right.get(row.tmc, 0)) for row in rows)
        found = self._signed(rows[0].terminal, rows[0].sequence) if rows else None
        ordered = self._pending(waiting)
        shown = Shown(
            card, value.net(account), held.net(online), Sen(value.credits_pending - ordered), Sen(held.debits_pending - ordered), ordered,
            _gaps(rows), taps,
            months_of(days, now), found.transaction if found is not None else None, self._transfers(found, now), block,
        )  # fmt: skip
        return shown, found

    def _pending(self, waiting: Ordered | None) -> Sen:
        """What waits for the card's next tap."""
        hold = None if waiting is None else self._ledger.hold(waiting.hold)
        return hold[0].amount if hold is not None and hold[1] else Sen(0)

    def tap(self, card: Card, tmc: int) -> Tap | None:
        """One tap of a card; None where it is not in the books."""
        with self._ledger.database.transaction() as connection:
            row = intake.tap_at(connection, card.partition, card.uid, tmc)
            put_right = store.corrected(connection, card.partition, card.uid, tmc)
        return None if row is None else self._tap(row, put_right.get(tmc, 0))

    def _tap(self, row: TapRow, put_right: int) -> Tap:
        return Tap(row, self._city.payee(row.terminal), Sen(put_right))

    def _transfers(self, found: Signed | None, now: UnixMs) -> Transfers | None:
        if found is None or found.transaction.journey_after is None:
            return None
        return self._city.transfers(found.transaction, found.tariff, now)

    def _read_signed(self, terminal: int, sequence: int) -> Signed | None:
        with self._ledger.database.transaction() as connection:
            batch = intake.batch_with(connection, terminal, sequence)
            body = b"" if batch is None else read_documents(connection, batch.block)[batch.ordinal]
        if batch is None:
            return None
        try:
            raw = decode_frame(envelope.parse(body).payload).raws[sequence - batch.first_sequence]
            record = decode_record(raw, sequence)
            return Signed(evidence.parse(record.tmi), record.context.tariff)
        except (CardError, KeysError):
            return None  # what cannot be read here is in the worklist already


def _gaps(rows: list[TapRow]) -> int:
    """How many transactions between the newest ones are not in the books yet: the card has counted them."""
    return rows[0].tmc - rows[-1].tmc + 1 - len(rows) if rows else 0


def _first_month(now: UnixMs) -> Day:
    today = local(now).date()
    months = today.year * 12 + today.month - 1 - (MONTHS_SHOWN - 1)
    return day_of(today.replace(year=months // 12, month=months % 12 + 1, day=1))


def months_of(days: list[tuple[int, int]], now: UnixMs) -> tuple[Month, ...]:
    """Spending by month, oldest first, up to this month; months without any are there too."""
    first = date_of(_first_month(now))
    sums: dict[date, int] = {}
    for day, spent in days:
        month = date_of(Day(day)).replace(day=1)
        sums[month] = sums.get(month, 0) + spent
    found = []
    for _ in range(MONTHS_SHOWN):
        found.append(Month(day_of(first), Sen(sums.get(first, 0))))
        first = (first + timedelta(days=31)).replace(day=1)
    return tuple(found)
