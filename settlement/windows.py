"""Settling a window: positions, entries, items and payment files, recorded with the entries in one unit of the ledger.

Everything is computed from a closed window, which never changes, and is written exactly once: a unit that finds the window
settled moves nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from keys.clock import UnixMs, date_of
from ledger.chain.store import read_windows
from ledger.closing.store import held_by_day
from ledger.transfer import Result
from ledger.windows import Windows
from settlement import store
from settlement.calendar.cut_off import city_cut_offs
from settlement.entries import entries
from settlement.items import items
from settlement.kept import KeptPosition, Record, Settlement
from settlement.payments.files import payment_files
from settlement.positions.netting import nets

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from keys.clock import Day
    from ledger.chain.store import Window
    from ledger.store import Database
    from ledger.writer import PostedRows, Transaction
    from settlement.items import Item
    from settlement.participants import Participants
    from settlement.payments.rails import RailRules
    from settlement.payments.table import Template
    from settlement.positions.model import Position, Sums

    Rows = npt.NDArray[np.void]


class WindowState(StrEnum):
    """What a business date is."""

    OPEN = "open"
    CLOSED = "closed"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class WindowLine:
    """A window as people look at it. `transfers` are what it holds, `entries` those that settled it; what is not there yet is 0."""

    business_date: Day
    state: WindowState
    closed_at: UnixMs
    transfers: int
    last_position: int
    entries: int


def window_lines(database: Database, now: UnixMs, limit: int = 400) -> list[WindowLine]:
    """Windows, newest first: the open one, and all that hold something or were closed."""
    cut_offs = city_cut_offs(database)
    with database.transaction() as connection:
        closed = {one.business_date: one for one in read_windows(connection)}
        open_day = Windows(list(closed.values()), cut_offs).open_at(now)
        held = held_by_day(connection)
        settled = {one.business_date: one for one in store.settlements(connection)}
    days = sorted({open_day, *closed, *held}, reverse=True)[:limit]
    return [_line(day, closed.get(day), settled.get(day), held.get(day, 0)) for day in days]


def _line(day: Day, closed: Window | None, settled: Settlement | None, transfers: int) -> WindowLine:
    state = WindowState.SETTLED if settled else WindowState.CLOSED if closed else WindowState.OPEN
    entries = settled.last_position - settled.first_position + 1 if settled and settled.first_position else 0
    return WindowLine(
        day, state, closed.closed_at if closed else UnixMs(0), transfers, closed.last_position if closed else 0, entries
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What settling a window means, before anything is written."""

    window: Window
    transfers: Rows
    record: Record

    @property
    def document(self) -> bytes:
        """What the chain covers besides the entries: positions, nets, service days and the digests of the payment files, as JSON."""
        record = self.record
        told = {
            "settle": date_of(self.window.business_date).isoformat(),
            "positions": [
                [one.purpose, one.bank, one.code, one.number, one.gross, one.refunds, one.fee, one.net]
                for one in record.positions
            ],
            "nets": [[one.bank, one.owed, one.owes, one.net] for one in record.nets],
            "service_days": [[one.service_day, one.kind, one.transfers, one.amount] for one in record.days],
            "payment_files": {file.name: file.sha256 for file in record.files},
        }
        return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def plan(
    window: Window,
    found: Sums,
    participants: Participants,
    rules: RailRules,
    templates: Mapping[int, Template] | None = None,
    orders: tuple[Item, ...] = (),
) -> Plan:
    """All that follows from the sums of a closed window's rows; the same rows give the same plan, byte for byte. `orders` were posted one by one.

    Raises ParticipantUnknown, PaymentsTooMany, SumTooLarge.
    """
    day, positions = window.business_date, found.positions()
    expected = items(positions, day, participants, rules)
    record = Record(
        tuple(_kept(position, participants) for position in positions),
        nets(positions, participants),
        found.days,
        (*expected, *orders),
        tuple(payment_files(day, window.closed_at, expected, participants, templates)),
    )
    return Plan(window, entries(found.shares, participants, day, window.closed_at), record)


def _kept(position: Position, participants: Participants) -> KeptPosition:
    name = participants.party(position.code, position.number).name
    return KeptPosition(
        position.purpose, position.bank, position.code, position.number, name,
        position.gross, position.refunds, position.fee, position.net,
    )  # fmt: skip


@dataclass(slots=True)
class SettleWindow:
    """The unit that settles a window. Answers the first result that is not POSTED, else POSTED."""

    planned: Plan
    document: bytes = field(default=b"", init=False)
    _done: bool = field(default=False, init=False)

    def plan(self, tx: Transaction) -> Rows:
        """The entries; none where the window is settled already."""
        self._done = store.settlement_of(tx.connection, self.planned.window.business_date) is not None
        return self.planned.transfers[:0] if self._done else self.planned.transfers

    def settle(self, posted: PostedRows, tx: Transaction) -> Result:
        """Record the window with its entries' positions; nothing where they were not posted."""
        told = posted.results[(posted.results != Result.POSTED) & (posted.results != Result.LINKED_FAILED)]
        if self._done or not posted.all_posted:
            return Result(int(told[0])) if len(told) else Result.POSTED
        self.document = self.planned.document
        first, last = (int(posted.positions[0]), int(posted.positions[-1])) if len(posted) else (0, 0)
        window = self.planned.window
        settlement = Settlement(window.business_date, window.closed_at, window.head, first, last)
        store.insert_settlement(tx.connection, settlement, self.planned.record)
        return Result.POSTED
