"""Variants that make or lose money: amounts, fees, holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import settlement.positions.summing
import settlement.windows
from card.batch import RELAYED_FROM, RecordStatus
from hebat.known_tariffs import KnownTariffs
from keys.money import Rupiah
from ledger.intake import load_unit, posting
from ledger.intake.authorised import store as authorised
from ledger.intake.columnar import moving
from ledger.intake.columnar import posting as by_columns
from ledger.intake.deciding import Decisions
from ledger.intake.holds import Holds
from ledger.intake.limits import limits_of
from ledger.relay import records
from ledger.relay.course import LoadCourse
from ledger.relay.unit import Intend
from settlement.entries import entries as entries_of
from settlement.matching import store as matching_store
from tests.simulate.variants import broken, instead

if TYPE_CHECKING:
    from collections.abc import Iterator


# Money


@broken("money goes through a float")
def _floating() -> Iterator[None]:
    was = moving.moved

    def moved(*given: Any) -> Any:
        rows, whose = was(*given)
        rows["amount"] = (rows["amount"] / 100 * 1.1 / 1.1 * 100).astype(np.int64)
        return rows, whose

    with instead(by_columns, "moved", moved):
        yield


@broken("the chip's rupiah are entered as sen")
def _sen() -> Iterator[None]:
    with instead(posting, "sen_of", int):
        yield


@broken("the city's part of a concession is left out")
def _unsubsidised() -> Iterator[None]:
    with instead(KnownTariffs, "subsidy", lambda *_: Rupiah(0)):
        yield


@broken("fees are rounded for each sale, and not for the window")
def _rounded() -> Iterator[None]:
    def shared(exact: Any, _groups: Any) -> Any:
        return exact // 10_000

    with instead(settlement.positions.summing, "shared_out", shared):
        yield


@broken("a fee is taken twice from what a merchant gets")
def _greedy() -> Iterator[None]:
    was = entries_of

    def entries(shares: Any, *rest: Any) -> Any:
        shares = shares.copy()
        shares["fee"] *= 2
        return was(shares, *rest)

    with instead(settlement.windows, "entries", entries):
        yield


# Holds


@broken("a load is posted beside its hold")
def _beside() -> Iterator[None]:
    with instead(Holds, "of", lambda *_: 0):
        yield


@broken("the hold of a load that never began is kept")
def _held() -> Iterator[None]:
    with instead(Decisions, "_give_back", lambda *_: None):
        yield


@broken("a load's request is a new one each time it comes")
def _again() -> Iterator[None]:
    with instead(authorised, "load_of", lambda *_: None):
        yield


@broken("a card may be loaded beyond what its purse may hold")
def _unlimited() -> Iterator[None]:
    was = limits_of

    def unlimited(*arguments: Any) -> Any:
        return replace(was(*arguments), ceiling=Rupiah(0))

    with instead(load_unit, "limits_of", unlimited):
        yield


@broken("loads under way are forgotten when the ledger stops")
def _stopped() -> Iterator[None]:
    with instead(LoadCourse, "recover", lambda *_: None):
        yield


@broken("a load is committed before its intent is written down")
def _unintended() -> Iterator[None]:
    def intend(self: LoadCourse, session: Any, intent: Any) -> None:
        session.intended = records.intended(intent, session.context)

    def write(self: LoadCourse, terminal: int, record: Any) -> bytes:
        raw, request = records.encoded(record), record.sequence - RELAYED_FROM
        if record.status is not RecordStatus.WITNESS:
            self._ledger.writer.submit(Intend(terminal, request, raw)).result()
        return was(self, terminal, record)

    was = LoadCourse._write
    with instead(LoadCourse, "_intend", intend), instead(LoadCourse, "_write", write):
        yield


# Banks


@broken("an item is matched by every line that fits it")
def _matched_twice() -> Iterator[None]:
    was = matching_store.insert_matches

    def insert(connection: Any, new: Any, *rest: Any) -> Any:
        new = list(new)
        return was(connection, [*new, *new[:1]], *rest)

    with instead(matching_store, "insert_matches", insert):
        yield
