"""Plain records in the table of taps, and what they leave to explain: a purse below zero, a card that was blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keys.clock import UnixMs
from keys.money import SEN_PER_RUPIAH
from ledger.bulk.spans import Spans
from ledger.chart import AccountId
from ledger.intake.columnar import fields as f
from ledger.intake.columnar.posting import fare_of, service_days
from ledger.intake.entries import rules_broken
from ledger.intake.quarantine.store import ExceptionRow
from ledger.intake.reasons import ExceptionKind
from ledger.transfer import Kind, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from keys.clock import Day
    from ledger.intake.columnar.cards import Cards
    from ledger.intake.examined import Examined
    from ledger.intake.placing import Told
    from ledger.writer import Transaction

    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

DIGEST_BYTES = 32
_REFUSED_ALONG = (Result.POSTED, Result.LINKED_FAILED)


class TapColumns:
    """The records of a batch that were posted by columns; `failed` are those that the books refused, with the first reason."""

    def __init__(self, examined: Examined, fast: Flags, told: Told, cards: Cards) -> None:
        self._examined = examined
        self._cards = cards
        self._told = told
        self._columns = examined.columns
        results = told.posted.results[told.at]
        bad = results != Result.POSTED
        self._taken = fast
        self.failed: list[tuple[int, Result]] = []
        if bad.any():
            self._taken = fast.copy()
            self._taken[told.records[bad]] = False
            own = bad & ~np.isin(results, _REFUSED_ALONG)
            self.failed = [
                (int(place), Result(int(result)))
                for place, result in zip(told.records[own], results[own], strict=True)
            ]
        self._rows: Integers = np.flatnonzero(self._taken)

    @property
    def count(self) -> int:
        """How many were posted."""
        return len(self._rows)

    def columns(self, business_date: Day) -> dict[str, Any]:
        """The columns of the table of taps."""
        columns, rows = self._columns, self._rows
        at = columns.at[:, rows]
        rules = [" ".join(fare_of(columns, group)[1]) for group in range(len(columns.groups))]
        return {
            "partition": self._partition_of(rows), "uid": at[f.UID], "tmc": at[f.TMC],
            "identity": Spans.equal([columns.identities[row] for row in rows.tolist()], DIGEST_BYTES), "terminal": at[f.TERMINAL],
            "sequence": at[f.SEQUENCE], "kind": at[f.KIND], "amount": at[f.MOVED] * SEN_PER_RUPIAH,
            "balance_after": at[f.BALANCE_AFTER] * SEN_PER_RUPIAH, "position": self._positions()[rows],
            "occurred_at": at[f.SIGNED_AT] * 1000, "service_day": service_days(at[f.SIGNED_AT]),
            "business_date": np.full(len(rows), business_date, np.int64), "route": self._spans(at, f.ROUTE_AT, f.ROUTE_END, text=True),
            "stop": self._spans(at, f.STOP_AT, f.STOP_END, text=True), "rules": Spans.chosen(rules, at[f.GROUP]),
            "seen_tmv": self._spans(at, f.SEEN_AT, f.SEEN_END),
        }  # fmt: skip

    def _partition_of(self, rows: Any) -> Any:
        return self._cards.partition[self._columns.places[rows]]

    def _positions(self) -> Integers:
        """Of each record the position of its first transfer; 0 where no money moved."""
        found = np.zeros(len(self._taken), np.int64)
        # Of several rows of one record the last assignment stays: backwards, that is its first row.
        found[self._told.records[::-1]] = self._told.posted.positions[self._told.at][::-1]
        return found

    def _spans(self, at: Integers, start: int, end: int, *, text: bool = False) -> Spans:
        return Spans(self._columns.octets, at[start], at[end] - at[start], text=text)

    def exceptions(self, tx: Transaction) -> list[ExceptionRow]:
        """What the posted ones leave to explain."""
        return [*self._below_zero(tx), *self._blocked(tx), *self._broken(tx)]

    def _broken(self, tx: Transaction) -> Iterator[ExceptionRow]:
        """Taps that are posted against rules of their accounts."""
        overruled = self._told.posted.applied.overruled[self._told.at]
        if not overruled.any():
            return
        for row in np.unique(self._told.records[overruled != 0]).tolist():
            for doubt in rules_broken(overruled[self._told.records == row].tolist()):
                yield self._exception(row, doubt.kind, doubt.detail, tx)

    def _below_zero(self, tx: Transaction) -> Iterator[ExceptionRow]:
        for row in self._doubtful().tolist():
            account = AccountId(int(self._cards.account[self._columns.places[row]]))
            shadow = -tx.balance(account).net(account)
            if shadow > 0:
                told = f"the books are {shadow} sen below what the card has spent"
                yield self._exception(row, ExceptionKind.NEGATIVE_SHADOW, told, tx)

    def _doubtful(self) -> Integers:
        """The records whose purse has less than nothing after them, and all others of the same cards."""
        posted, at = self._told.posted, self._told.at
        debits, credits_ = posted.applied.balances[at, 0], posted.applied.balances[at, 1]
        by_card = posted.rows["kind"][at] != int(Kind.SUBSIDY)
        below: Integers = self._told.records[by_card & (debits > credits_)]
        if not len(below):
            return below
        paid: Integers = self._rows[self._columns.at[f.PAID, self._rows] > 0]
        uids = self._columns.at[f.UID]
        some: Integers = paid[np.isin(uids[paid], uids[below])]
        return some

    def _blocked(self, tx: Transaction) -> Iterator[ExceptionRow]:
        blocked = self._examined.blocked
        ever = blocked.uids()
        if not ever:
            return
        at = self._columns.at
        for row in self._rows[np.isin(at[f.UID, self._rows], ever)].tolist():
            why = blocked.said(int(at[f.UID, row]), UnixMs(int(at[f.OCCURRED_AT, row])))
            if why:
                yield self._exception(row, ExceptionKind.CARD_BLOCKED, why, tx)

    def _exception(self, row: int, kind: ExceptionKind, detail: str, tx: Transaction) -> ExceptionRow:
        at = self._columns.at
        return ExceptionRow(
            int(self._partition_of(row)), int(at[f.UID, row]), int(at[f.TMC, row]), kind, self._examined.frame.terminal,
            int(at[f.SEQUENCE, row]), detail, tx.received_at,
        )  # fmt: skip
