"""Settling a window: positions, entries, items and payment files, recorded with the entries in one unit of the ledger.

Everything is computed from a closed window, which never changes, and is written exactly once: a unit that finds the window
settled moves nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keys.clock import date_of
from keys.money import Sen
from ledger.transfer import Result
from settlement import store
from settlement.entries import entries
from settlement.items import items
from settlement.payments.pain001 import file_name, payment_file
from settlement.positions import positions
from settlement.statements.reading import digest
from settlement.store import KeptPosition, PaymentFile, Settlement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store import Window
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.fees import FeeTable
    from settlement.items import Item
    from settlement.participants import Participants
    from settlement.payments.rails import RailRules
    from settlement.positions import Columns, Position


@dataclass(frozen=True, slots=True)
class Plan:
    """What settling a window means, before anything is written."""

    window: Window
    transfers: tuple[Transfer, ...]
    positions: tuple[KeptPosition, ...]
    items: tuple[Item, ...]
    files: tuple[PaymentFile, ...]

    @property
    def document(self) -> bytes:
        """What the chain covers besides the entries: the positions and the digests of the payment files, as JSON."""
        told = {
            "settle": date_of(self.window.business_date).isoformat(),
            "positions": [
                [one.purpose, one.bank, one.code, one.number, one.gross, one.refunds, one.fee, one.net]
                for one in self.positions
            ],
            "payment_files": {file.name: file.sha256 for file in self.files},
        }
        return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def plan(window: Window, rows: Columns, participants: Participants, fees: FeeTable, rules: RailRules) -> Plan:
    """All that follows from a closed window's journal rows; the same rows give the same plan, byte for byte.

    Raises PositionUnclear, ParticipantUnknown, FeeUnknown, PaymentsTooMany.
    """
    day = window.business_date
    found = positions(rows, participants, fees, day)
    expected = items(found, day, participants, rules)
    return Plan(
        window,
        tuple(entries(found, day, window.closed_at)),
        tuple(_kept(position, participants) for position in found),
        expected,
        tuple(_files(window, expected, participants)),
    )


def _kept(position: Position, participants: Participants) -> KeptPosition:
    name = participants.party(position.code, position.number).name
    return KeptPosition(
        position.purpose, position.bank, position.code, position.number, name,
        position.gross, position.refunds, position.fee, position.net,
    )  # fmt: skip


def _files(window: Window, expected: Sequence[Item], participants: Participants) -> list[PaymentFile]:
    files = []
    for code in sorted({item.bank for item in expected}):
        content = payment_file(
            window.business_date, participants.bank(code), expected, participants, window.closed_at
        )
        amounts = [-item.amount for item in expected if item.bank == code and item.rail is not None]
        if content:
            name = file_name(window.business_date, code)
            total = Sen(sum(amounts))
            files.append(
                PaymentFile(window.business_date, code, name, digest(content), len(amounts), total, content)
            )
    return files


@dataclass(slots=True)
class SettleWindow:
    """The unit that settles a window. Answers the first result that is not POSTED, else POSTED."""

    planned: Plan
    document: bytes = field(default=b"", init=False)
    _done: bool = field(default=False, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The entries; none where the window is settled already."""
        self._done = store.settlement_of(tx.connection, self.planned.window.business_date) is not None
        return () if self._done else self.planned.transfers

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> Result:
        """Record the window with its entries' positions; nothing where they were not posted."""
        wrong = next(
            (one.result for one in posted if one.result not in {Result.POSTED, Result.LINKED_FAILED}), None
        )
        if self._done or wrong is not None:
            return wrong or Result.POSTED
        self.document = self.planned.document
        first, last = (posted[0].position, posted[-1].position) if posted else (0, 0)
        window = self.planned.window
        settlement = Settlement(window.business_date, window.closed_at, window.head, first, last)
        store.insert_settlement(
            tx.connection, settlement, self.planned.positions, self.planned.items, self.planned.files
        )
        return Result.POSTED
