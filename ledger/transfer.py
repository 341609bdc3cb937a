"""A transfer: two sides, one currency, immutable. As a row of the journal, and as a row of NumPy's columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag, unique
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from keys.money import Sen
    from ledger.chart import AccountId


@unique
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
    RULES = 12  # an account's flags and limits from here on: no money moves
    EXPIRY = 13  # the ledger gives a hold back whose time is over
    INTERBANK = 14  # a bank's part of a window's multilateral net
    ISSUER_PAID = 15  # an issuer settles what its cards, of which it keeps the books, paid here
    TRANSFER = 16  # from wallet to wallet


class Flag(IntFlag):
    """How a transfer is applied (after TigerBeetle's transfer flags)."""

    NONE = 0
    LINKED = 1  # stands or falls with the next transfer of the same unit
    PENDING = 2  # reserves: a hold
    POST_PENDING = 4  # completes the hold at `hold`, whole or in part; the rest goes back
    VOID_PENDING = 8  # gives the hold at `hold` back
    RULES = 16  # changes the debited account's rules (`ledger.rules`), packed in `hold`; moves nothing
    PROVEN = 32  # has happened already, by a card's evidence or a bank's word: no rule of an account refuses it (law 5)

    UNPOSTED = PENDING | VOID_PENDING | RULES  # any of these: the row posts no money


class Freshness(IntEnum):
    """What the engine's memory of the last 64 counters of a stream says about an identity.

    A stream is a card (counter: tmc) or a terminal (counter: sequence). FRESH is certain: no transfer has that identity. The
    others are candidates, for the identity tables to decide.
    """

    FRESH = 0
    SEEN = 1
    TOO_OLD = 2


class Result(IntEnum):
    """What became of a transfer. Zero is good; everything else moved nothing."""

    POSTED = 0
    LINKED_FAILED = 1
    LINKED_OPEN = 2
    SAME_ACCOUNT = 3
    AMOUNT_NOT_POSITIVE = 4
    PARTITIONS_DIFFER = 5
    EXCEEDS_CREDITS = 6
    HOLD_UNKNOWN = 7
    HOLD_NOT_PENDING = 8
    HOLD_DIFFERS = 9
    OVERFLOW = 10
    ACCOUNT_INVALID = 11
    FLAGS_INVALID = 12
    EXCEEDS_DEBITS = 13
    DEBITS_FROZEN = 14
    CREDITS_FROZEN = 15
    ACCOUNT_CLOSED = 16
    EXCEEDS_CEILING = 17
    EXCEEDS_MONTH = 18
    HOLD_EXPIRED = 19
    RULES_INVALID = 20
    BLOCKED = 21


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of money from the debited to the credited account, in sen.

    `uid` and `tmc` name the card transaction it was posted from (0 where there is none), `terminal` and
    `sequence` the terminal's record. `hold` is the journal position of the hold that it completes or voids; for a hold itself, the
    moment (UnixMs) at which its time is over, 0 for never.
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
