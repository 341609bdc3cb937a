"""A transfer: two sides, one currency, immutable. As a row of the journal, and as a row of NumPy's columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

import numpy as np

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger.chart import AccountId

UINT32 = 1 << 32


class Kind(IntEnum):
    """What a transfer is for; stands in the journal."""

    FARE = 1
    SUBSIDY = 2
    SALE = 3
    LOAD = 4
    REFUND = 5
    OPENING = 6
    FEE = 7
    PAYOUT = 8
    DEPOSIT = 9
    SUBSIDY_PAID = 10
    ADJUSTMENT = 11


class Flag(IntFlag):
    """How a transfer is applied (after TigerBeetle's transfer flags)."""

    NONE = 0
    LINKED = 1  # stands or falls with the next transfer of the same unit
    PENDING = 2  # reserves: a hold
    POST_PENDING = 4  # completes the hold at `hold`
    VOID_PENDING = 8  # gives the hold at `hold` back


class Result(IntEnum):
    """What became of a transfer. Zero is good; everything else moved nothing."""

    POSTED = 0
    LINKED_FAILED = 1
    SAME_ACCOUNT = 2
    AMOUNT_NOT_POSITIVE = 3
    EXCEEDS_CREDITS = 4
    EXCEEDS_DEBITS = 5
    ACCOUNT_CLOSED = 6
    ACCOUNT_FROZEN = 7
    HOLD_UNKNOWN = 8
    HOLD_NOT_PENDING = 9
    HOLD_DIFFERS = 10
    PARTITIONS_DIFFER = 11
    OVERFLOW = 12
    LINKED_OPEN = 13


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of money from the debited to the credited account, in sen.

    `uid` and `tmc` name the card transaction it was posted from (0 where there is none), `terminal` and
    `sequence` the terminal's record; `hold` is the journal position of the hold that it completes or voids.
    """

    debit: AccountId
    credit: AccountId
    amount: Sen
    kind: Kind
    occurred_at: UnixMs
    service_day: Day
    flags: Flag = Flag.NONE
    hold: int = 0
    uid: int = 0
    tmc: int = 0
    terminal: int = 0
    sequence: int = 0


ROW = np.dtype(
    [
        ("partition", "<i8"),
        ("position", "<i8"),
        ("debit", "<i8"),
        ("credit", "<i8"),
        ("amount", "<i8"),
        ("kind", "<i8"),
        ("flags", "<i8"),
        ("hold", "<i8"),
        ("occurred_at", "<i8"),
        ("received_at", "<i8"),
        ("service_day", "<i8"),
        ("business_date", "<i8"),
        ("uid", "<i8"),
        ("tmc", "<i8"),
        ("terminal", "<i8"),
        ("sequence", "<i8"),
    ]
)
"""A journal row: sixteen little-endian 64-bit integers. These bytes are what the hash chain covers."""
