"""Who is owed what for one business date: pure columns over the journal's rows.

A position is one purpose, one bank and one party; its shares are the sub-accounts of the party, one a partition.

| purpose | rows (debit > credit) | bank |
|---|---|---|
| TAPS | purse, wallet or suspense > payable of an operator or merchant | the purse's issuer |
| SUBSIDY | subsidy receivable > operator payable | the city's treasury bank |
| CASH | cash at the agent > purse or wallet | the purse's issuer |

The reverse direction is a refund. Holds and voids move nothing and count for nothing; entries of earlier windows, which
stand in this one's journal, are left out by their kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keys.money import Sen
from ledger.chart import AccountId, Code, Partition, describe
from ledger.transfer import Flag, Kind
from settlement.errors import PositionUnclear
from settlement.fees import allocated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keys.clock import Day
    from settlement.fees import FeeTable
    from settlement.participants import Participants

    Columns = NDArray[np.void]  # rows of `ledger.transfer.ROW`

SETTLEMENT_KINDS = (Kind.FEE, Kind.PAYOUT, Kind.DEPOSIT, Kind.SUBSIDY_PAID)
_PAYABLES = (Code.OPERATOR_PAYABLE, Code.MERCHANT_PAYABLE)
_VALUE = (Code.PURSE, Code.WALLET)
_BY_BANK = (Code.SUSPENSE, Code.BANK_SETTLEMENT)
_TO_SETTLE = (*_PAYABLES, Code.AGENT_CASH, Code.SUBSIDY_RECEIVABLE)


class Purpose(IntEnum):
    """What a position is for."""

    TAPS = 1
    SUBSIDY = 2
    CASH = 3


@dataclass(frozen=True, slots=True)
class Share:
    """What one partition's sub-account holds of a position, in sen. `source` numbers the subsidy receivable, else 0."""

    partition: Partition
    source: int
    gross: Sen
    refunds: Sen
    fee: Sen

    @property
    def net(self) -> Sen:
        """Gross less refunds and fee."""
        return Sen(self.gross - self.refunds - self.fee)


@dataclass(frozen=True, slots=True)
class Position:
    """What one bank pays to one party, or is paid by it (CASH), for one window."""

    purpose: Purpose
    bank: int
    code: Code
    number: int
    shares: tuple[Share, ...]

    @property
    def gross(self) -> Sen:
        """Sum of what came in."""
        return Sen(sum(share.gross for share in self.shares))

    @property
    def refunds(self) -> Sen:
        """Sum of what went back."""
        return Sen(sum(share.refunds for share in self.shares))

    @property
    def fee(self) -> Sen:
        """Merchant discount, rounded once over the window."""
        return Sen(sum(share.fee for share in self.shares))

    @property
    def net(self) -> Sen:
        """Gross less refunds and fee."""
        return Sen(sum(share.net for share in self.shares))


class _Side(NamedTuple):
    """One side of each row, taken apart (the layout is `ledger.chart`'s)."""

    code: NDArray[np.int64]
    partition: NDArray[np.int64]
    number: NDArray[np.int64]

    @classmethod
    def of(cls, accounts: NDArray[np.int64]) -> _Side:
        return cls(accounts >> 56, accounts >> 50 & 63, accounts & (1 << 50) - 1)

    def is_any(self, codes: tuple[Code, ...]) -> NDArray[np.bool_]:
        return np.isin(self.code, codes)

    def bank(self) -> NDArray[np.int64]:
        """The bank behind the side: a purse's or wallet's issuer, else the bank that the number is."""
        return np.where(self.is_any(_VALUE), self.number // 10_000_000 % 10_000, self.number)


class _Flow(NamedTuple):
    """How the rows of a purpose look: a party's account, and the account on the other side."""

    purpose: Purpose
    party: tuple[Code, ...]
    other: tuple[Code, ...]
    party_credited: bool  # forward; the reverse is a refund


_FLOWS = (
    _Flow(Purpose.TAPS, _PAYABLES, (*_VALUE, *_BY_BANK), party_credited=True),
    _Flow(Purpose.SUBSIDY, (Code.OPERATOR_PAYABLE,), (Code.SUBSIDY_RECEIVABLE,), party_credited=True),
    _Flow(Purpose.CASH, (Code.AGENT_CASH,), (*_VALUE, *_BY_BANK), party_credited=False),
)


class _Cells(NamedTuple):
    """Rows by key (purpose, bank, code, number, partition, source): signed sen, and fees in ten-thousandths of a sen."""

    keys: NDArray[np.int64]
    amounts: NDArray[np.int64]
    fees: NDArray[np.int64]


def positions(
    rows: Columns, participants: Participants, fees: FeeTable, business_date: Day
) -> tuple[Position, ...]:
    """The positions of a business date, in order of purpose, bank and party.

    Raises PositionUnclear for a row that touches what is settled but names no bank, ParticipantUnknown and FeeUnknown
    for parties and rates that are missing.
    """
    moved = _moved(rows, business_date)
    keys, amounts = _keyed(moved, participants.city.bank)
    found = _grouped(_Cells(keys, amounts, _exact_fees(keys, amounts, participants, fees, business_date)))
    for position in found:
        participants.bank(position.bank)
        participants.party(position.code, position.number)
    return found


def _moved(rows: Columns, business_date: Day) -> Columns:
    """Rows of the date that moved money and are none of settlement's own."""
    still = rows["flags"] & int(Flag.UNPOSTED) != 0
    own = np.isin(rows["kind"], SETTLEMENT_KINDS)
    moved: Columns = rows[(rows["business_date"] == business_date) & ~still & ~own]
    return moved


def _keyed(moved: Columns, treasury: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys (n, 6) and signed amounts (n,) of the rows that a flow covers."""
    debit, credit = _Side.of(moved["debit"]), _Side.of(moved["credit"])
    covered = np.zeros(len(moved), dtype=np.bool_)
    keys, amounts = [], []
    for flow in _FLOWS:
        for sign in (1, -1):
            forward = flow.party_credited == (sign > 0)
            party, other = (credit, debit) if forward else (debit, credit)
            mask = party.is_any(flow.party) & other.is_any(flow.other)
            covered |= mask
            keys.append(_keys(flow.purpose, party, other, treasury)[mask])
            amounts.append(sign * moved["amount"][mask])
    _refuse_unclear(moved, (debit.is_any(_TO_SETTLE) | credit.is_any(_TO_SETTLE)) & ~covered)
    return np.concatenate(keys), np.concatenate(amounts)


def _keys(purpose: Purpose, party: _Side, other: _Side, treasury: int) -> NDArray[np.int64]:
    subsidy = purpose is Purpose.SUBSIDY
    bank = np.full_like(party.number, treasury) if subsidy else other.bank()
    source = other.number if subsidy else np.zeros_like(party.number)
    whole = np.full_like(party.number, purpose)
    return np.column_stack([whole, bank, party.code, party.number, party.partition, source])


def _refuse_unclear(moved: Columns, unclear: NDArray[np.bool_]) -> None:
    if not unclear.any():
        return
    row = moved[unclear][0]
    sides = " > ".join(describe(AccountId(int(row[side]))) for side in ("debit", "credit"))
    raise PositionUnclear(
        f"journal position {row['position']} ({sides}) names no bank that pays: correct it by an adjustment through"
        " the bank's suspense account",
        int(row["position"]),
    )


def _exact_fees(
    keys: NDArray[np.int64],
    amounts: NDArray[np.int64],
    participants: Participants,
    table: FeeTable,
    business_date: Day,
) -> NDArray[np.int64]:
    """Merchant discount of each row; operators, subsidies and cash cost nothing."""
    exact = np.zeros_like(amounts)
    sold = (keys[:, 0] == Purpose.TAPS) & (keys[:, 2] == Code.MERCHANT_PAYABLE)
    for number in np.unique(keys[sold, 3]).tolist():
        merchant = participants.merchant(number)
        own = sold & (keys[:, 3] == number)
        exact[own] = table.rate(merchant.merchant_class, business_date).exact_fees(amounts[own])
    return exact


def _grouped(cells: _Cells) -> tuple[Position, ...]:
    """Sum rows into shares, shares into positions; integers only, never a float."""
    if not len(cells.keys):
        return ()
    order = np.lexsort(cells.keys.T[::-1])
    keys = cells.keys[order]
    starts = np.flatnonzero(np.concatenate([[True], (keys[1:] != keys[:-1]).any(axis=1)]))
    parts = (np.maximum(cells.amounts, 0), np.maximum(-cells.amounts, 0), cells.fees)
    sums = [np.add.reduceat(part[order], starts).tolist() for part in parts]
    listed = zip(keys[starts].tolist(), zip(*sums, strict=True), strict=True)
    return tuple(
        _position(key, list(group)) for key, group in groupby(listed, key=lambda cell: tuple(cell[0][:4]))
    )


def _position(key: tuple[int, ...], cells: list[tuple[list[int], tuple[int, ...]]]) -> Position:
    purpose, bank, code, number = key
    fees = allocated([sums[2] for _, sums in cells])
    shares = tuple(
        Share(Partition(place[4]), place[5], Sen(sums[0]), Sen(sums[1]), fee)
        for (place, sums), fee in zip(cells, fees, strict=True)
    )
    return Position(Purpose(purpose), bank, Code(code), number, shares)
