"""Positions of a window out of its journal rows: chunk by chunk, as columns; integers only, and memory that does not grow with the rows.

Holds and voids move nothing and count for nothing; entries of earlier windows, which stand in this one's journal, are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from keys.clock import Day
from keys.money import Sen
from ledger.chart import AccountId, Code, describe
from ledger.transfer import Kind
from settlement.errors import ParticipantUnknown, PositionUnclear, SumTooLarge
from settlement.fees import exact_fees
from settlement.positions import flows
from settlement.positions.model import KEYS, SHARE, DayLine, Purpose, Sums
from settlement.positions.rounding import shared_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ledger.rows.moves import Moves
    from settlement.fees import FeeTable
    from settlement.participants import Participants
    from settlement.positions.model import Integers, Shares

_SOURCES: Final = (Purpose.SUBSIDY, Purpose.OTHERS_CARDS)
_KINDS: Final = 256
_PURPOSE_BITS: Final = 3
_SUM_MAX: Final = 1 << 62
_FLOW: Final = flows.table()
_OWN_KIND: Final = flows.own_kinds()
_SETTLED_WITH: Final = flows.settled_with()
_SUMMED: Final = ("gross", "refunds", "exact")


class Summing:
    """Takes the rows of a business date chunk by chunk, whatever their order, and says what they come to."""

    def __init__(self, participants: Participants, fees: FeeTable, day: Day) -> None:
        self._participants = participants
        self._terms = _Terms(participants, fees, day)
        self._shares = [np.zeros(0, SHARE)]
        self._days: dict[tuple[int, int], tuple[int, int]] = {}
        self._unclear: tuple[int, int, int] | None = None

    def take(self, rows: Moves) -> None:
        """Add a chunk of rows; raises ParticipantUnknown and FeeUnknown for merchants and rates that are missing, SumTooLarge."""
        pair = (rows.debit >> 56) * flows.CODES + (rows.credit >> 56)
        moved = rows.flags & flows.UNPOSTED == 0
        moved &= ~(_OWN_KIND[rows.kind] & _SETTLED_WITH[pair])
        flow = np.where(moved, _FLOW[pair], flows.NONE)
        self._note_days(rows, moved)
        self._note_unclear(rows, flow)
        covered = np.flatnonzero(flow > flows.NONE)
        if len(covered):
            self._shares = [_merged([*self._shares, self._shares_of(rows, flow, covered)])]

    def done(self) -> Sums:
        """Round, and look whether everybody is known.

        Raises PositionUnclear for a row that touches what is settled but names no bank, ParticipantUnknown, SumTooLarge.
        """
        if self._unclear is not None:
            _refuse(*self._unclear)
        shares = self._shares[0]
        sold = np.flatnonzero(shares["code"] == Code.MERCHANT_PAYABLE)
        shares["fee"][sold] = shared_out(shares["exact"][sold], shares["number"][sold])
        found = Sums(shares, tuple(self._day_lines()))
        for position in found.positions():
            self._participants.bank(position.bank)
            self._participants.party(position.code, position.number)
        return found

    def _shares_of(self, rows: Moves, flow: NDArray[np.int8], at: Integers) -> Shares:
        """The chunk's shares, each key once: grouped by hashing before anything is sorted."""
        how, debit, credit = flow[at].astype(np.int64), rows.debit[at], rows.credit[at]
        credited, refund = how & 2 > 0, how & 1 > 0
        party, other = np.where(credited, credit, debit), np.where(credited, debit, credit)
        purpose, amount = how >> 2, rows.amount[at]
        source = np.where(np.isin(purpose, _SOURCES), _number(other), 0)
        exact = self._terms.charged(party, np.where(refund, -amount, amount))
        exact[rows.kind[at] == Kind.ADJUSTMENT] = 0  # nobody sold anything: what is owed is owed whole
        _check_sums(amount, exact)
        columns = {
            "party": party, "bank": self._banks(purpose, other), "tag": source << _PURPOSE_BITS | purpose,
            "gross": np.where(refund, 0, amount), "refunds": np.where(refund, amount, 0), "exact": exact,
        }  # fmt: skip
        found = pl.DataFrame(columns).group_by("party", "bank", "tag").agg(pl.col(*_SUMMED).sum())
        return _shares(found)

    def _banks(self, purpose: Integers, other: Integers) -> Integers:
        """The bank behind the other side: a purse's or wallet's issuer, the city's treasury, else the bank that the number is."""
        number = _number(other)
        of_card = np.isin(other >> 56, flows.VALUE)
        bank = np.where(of_card, number // 10_000_000 % 10_000, number)
        return np.where(purpose == Purpose.SUBSIDY, self._participants.city.bank, bank)

    def _note_days(self, rows: Moves, moved: NDArray[np.bool_]) -> None:
        key, amount = (rows.service_day * _KINDS + rows.kind)[moved], rows.amount[moved]
        if not len(key):
            return
        found, which, counts = np.unique(key, return_inverse=True, return_counts=True)
        order = np.argsort(which.astype(np.int16), kind="stable")  # small numbers are sorted by counting them
        totals = np.add.reduceat(amount[order], np.cumsum(counts) - counts)
        for one, count, total in zip(found.tolist(), counts.tolist(), totals.tolist(), strict=True):
            before = self._days.get(divmod(one, _KINDS), (0, 0))
            self._days[divmod(one, _KINDS)] = before[0] + count, before[1] + total

    def _day_lines(self) -> Iterable[DayLine]:
        for (day, kind), (count, total) in sorted(self._days.items()):
            yield DayLine(Day(day), Kind(kind), count, Sen(total))

    def _note_unclear(self, rows: Moves, flow: NDArray[np.int8]) -> None:
        at = np.flatnonzero(flow == flows.UNCLEAR)
        if len(at):
            first = at[np.argmin(rows.position[at])]
            found = int(rows.position[first]), int(rows.debit[first]), int(rows.credit[first])
            self._unclear = min(self._unclear or found, found)


class _Terms:
    """The fee terms of each merchant on a day, found by columns."""

    def __init__(self, participants: Participants, fees: FeeTable, day: Day) -> None:
        self._participants = participants
        self._fees = fees
        self._day = day
        self._numbers = np.array(sorted(participants.merchants), np.int64)
        self._of = np.zeros((len(self._numbers), 5), np.int64)
        self._known = np.zeros(len(self._numbers), np.bool_)

    def charged(self, parties: Integers, amounts: Integers) -> Integers:
        """Merchant discount of each row; operators, subsidies and cash cost nothing."""
        exact = np.zeros(len(parties), np.int64)
        sold = np.flatnonzero(parties >> 56 == Code.MERCHANT_PAYABLE)
        if not len(sold):
            return exact
        numbers = _number(parties[sold])
        at = np.searchsorted(self._numbers, numbers)
        strange = (at == len(self._numbers)) | (self._numbers[at % max(1, len(self._numbers))] != numbers)
        if strange.any():
            raise ParticipantUnknown(
                f"no merchant has number {numbers[strange].min()}: add it to the participants"
            )
        self._learn(np.flatnonzero(np.bincount(at, minlength=len(self._numbers)) > 0))
        exact[sold] = exact_fees(amounts[sold], self._of[at])
        return exact

    def _learn(self, wanted: Integers) -> None:
        for place in wanted[~self._known[wanted]].tolist():
            merchant = self._participants.merchant(int(self._numbers[place]))
            self._of[place] = self._fees.rate(merchant.merchant_class, self._day).terms
            self._known[place] = True


def _number(accounts: Integers) -> Integers:
    return accounts & (1 << 50) - 1


def _shares(found: pl.DataFrame) -> Shares:
    """Grouped columns as shares."""
    made = np.zeros(len(found), SHARE)
    party, tag = found["party"].to_numpy(), found["tag"].to_numpy()
    made["code"], made["partition"], made["number"] = party >> 56, party >> 50 & 63, _number(party)
    made["purpose"], made["source"] = tag & (1 << _PURPOSE_BITS) - 1, tag >> _PURPOSE_BITS
    for name in ("bank", *_SUMMED):
        made[name] = found[name].to_numpy()
    return made


def _check_sums(*columns: Integers) -> None:
    """Raises SumTooLarge where a sum of a column might not fit."""
    for column in columns:
        if len(column) and int(np.abs(column).max()) * len(column) >= _SUM_MAX:
            raise SumTooLarge("one window moves more than the books can hold: close windows more often")


def _merged(parts: list[Shares]) -> Shares:
    """Shares with each key once, in order; raises SumTooLarge where a sum might not fit."""
    rows = np.concatenate(parts)
    keys = [rows[name] for name in KEYS]
    order = np.lexsort(keys[::-1])
    change = np.zeros(len(rows), np.bool_)
    change[:1] = True
    for key in keys:
        in_order = key[order]
        change[1:] |= in_order[1:] != in_order[:-1]
    begins = np.flatnonzero(change)
    merged = rows[order[begins]]
    for name in _SUMMED:
        column = rows[name][order]
        _check_sums(column)
        merged[name] = np.add.reduceat(column, begins)
    return merged


def _refuse(position: int, debit: int, credit: int) -> None:
    sides = " > ".join(describe(AccountId(side)) for side in (debit, credit))
    raise PositionUnclear(
        f"journal position {position} ({sides}) names no bank that pays: correct it by an adjustment through"
        " the bank's suspense account",
        position,
    )
