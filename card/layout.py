"""The card application KSH: its files, sizes, rights, and what their bytes mean. The journey file: `card.journey`.

All records are 32 bytes, integers least significant byte first, times in Unix seconds, days since 1970-01-01, money in whole rupiah.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self, TypeVar

from card.errors import EvidenceError
from card.journey import JOURNEY_VERSION, Journey, JourneyState
from keys.clock import Day
from keys.money import Rupiah

__all__ = [
    "AID",
    "JOURNEY_VERSION",
    "LAYOUT_VERSION",
    "LOG_RECORDS",
    "NEVER",
    "PURSE_LIMIT_REGISTERED",
    "PURSE_LIMIT_UNREGISTERED",
    "RECORD_BYTES",
    "VALID_DAYS",
    "Concession",
    "File",
    "Identity",
    "Journey",
    "JourneyState",
    "LogRecord",
    "ReaderId",
    "TapKind",
    "card_number",
    "luhn_digit",
    "luhn_ok",
]

AID: Final = bytes.fromhex("4b5348")
LAYOUT_VERSION: Final = 1
RECORD_BYTES: Final = 32
LOG_RECORDS: Final = 10
PURSE_LIMIT_UNREGISTERED: Final = Rupiah(2_000_000)
"""PBI 20/6/2018: balance at most Rp2,000,000 for unregistered e-money."""
PURSE_LIMIT_REGISTERED: Final = Rupiah(20_000_000)
"""Bank Indonesia, 2022: balance at most Rp20,000,000 for registered e-money."""
VALID_DAYS: Final = 5 * 365
"""How long a card is good from the day that it was made, or put back into use."""
NEVER: Final = Day(0xFFFF)
"""No such day: a concession that does not exist, or does not end."""

_E = TypeVar("_E", bound=IntEnum)
_IDENTITY = struct.Struct("<BQHBBBHH14x")
_LOG = struct.Struct("<BIIIIIQ3x")
_READER = struct.Struct("<III4x")
_CARD_PREFIX = 9360
_SERIAL_MAX = 9_999_999


class File(IntEnum):
    """File numbers of the application."""

    IDENTITY = 0x01
    JOURNEY = 0x02
    PURSE = 0x03
    LOG = 0x04
    TMAC = 0x0F


class Concession(IntEnum):
    """Rider classes (Trans Semarang)."""

    GENERAL = 0
    PUPIL = 1
    STUDENT = 2
    ELDERLY = 3
    VETERAN = 4
    DISABLED = 5
    CHILD = 6


class TapKind(IntEnum):
    """What a card transaction was."""

    FARE = 1
    SALE = 2
    LOAD = 3
    REFUND = 4
    TAP_IN = 5
    TAP_OUT = 6
    LOCK = 7
    """A blocked card was seen and locked; no money moves."""

    @property
    def credits_card(self) -> bool:
        """True where value goes onto the card."""
        return self in {TapKind.LOAD, TapKind.REFUND}


def luhn_digit(number: int) -> int:
    """The check digit that makes number * 10 + digit pass (ISO/IEC 7812-1 annex B)."""
    total = sum(
        sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(str(number)))
    )
    return -total % 10


def card_number(issuer: int, serial: int) -> int:
    """The 16-digit number of a card: 9360, issuer, serial, check digit.

    Raises EvidenceError where issuer or serial have too many digits.
    """
    if not (0 <= issuer <= 9999 and 0 <= serial <= _SERIAL_MAX):  # noqa: PLR2004  four digits
        raise EvidenceError(f"no card number has issuer {issuer} and serial {serial}")
    number = (_CARD_PREFIX * 10_000 + issuer) * 10_000_000 + serial
    return number * 10 + luhn_digit(number)


def luhn_ok(number: int) -> bool:
    """True where the last digit is the check digit of the others."""
    return luhn_digit(number // 10) == number % 10


@dataclass(frozen=True, slots=True)
class Identity:
    """File 01: whose card this is."""

    card_number: int
    issuer: int
    product: int
    registered: bool
    concession: Concession
    concession_until: Day
    valid_until: Day

    def encode(self) -> bytes:
        """The file's 32 bytes."""
        return _IDENTITY.pack(
            LAYOUT_VERSION,
            self.card_number,
            self.issuer,
            self.product,
            int(self.registered),
            self.concession,
            self.concession_until,
            self.valid_until,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From the file's 32 bytes; raises EvidenceError."""
        version, number, issuer, product, registered, concession, concession_until, valid = _unpack(
            _IDENTITY, data, "identity file"
        )
        if version != LAYOUT_VERSION:
            raise EvidenceError(
                f"the card has layout {version}, this terminal knows {LAYOUT_VERSION}: update it"
            )
        if not luhn_ok(number) or registered > 1:
            raise EvidenceError("the identity file holds no card number of this city")
        kind = _member(Concession, concession, "rider class")
        return cls(number, issuer, product, bool(registered), kind, Day(concession_until), Day(valid))

    @property
    def purse_limit(self) -> Rupiah:
        """The most that the purse may hold."""
        return PURSE_LIMIT_REGISTERED if self.registered else PURSE_LIMIT_UNREGISTERED


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of file 04: what happened, as the card itself keeps it."""

    kind: TapKind
    amount: Rupiah
    balance_after: Rupiah
    at: int
    terminal: int
    sequence: int
    reference: int

    def encode(self) -> bytes:
        """The record's 32 bytes."""
        return _LOG.pack(
            self.kind, self.amount, self.balance_after, self.at, self.terminal, self.sequence, self.reference
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From the record's 32 bytes; raises EvidenceError."""
        kind, amount, after, at, terminal, sequence, reference = _unpack(_LOG, data, "log record")
        tap = _member(TapKind, kind, "kind of transaction")
        return cls(tap, Rupiah(amount), Rupiah(after), at, terminal, sequence, reference)


@dataclass(frozen=True, slots=True)
class ReaderId:
    """The 16 bytes that a terminal commits under: who, its record's number, when (Unix seconds)."""

    terminal: int
    sequence: int
    at: int

    def encode(self) -> bytes:
        """The 16 bytes."""
        return _READER.pack(self.terminal, self.sequence, self.at)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From 16 bytes; raises EvidenceError."""
        return cls(*_unpack(_READER, data, "reader id"))


def _unpack(layout: struct.Struct, data: bytes, what: str) -> tuple[int, ...]:
    if len(data) != layout.size:
        raise EvidenceError(f"the {what} has {len(data)} bytes instead of {layout.size}")
    values: tuple[int, ...] = layout.unpack(data)
    if layout.pack(*values) != data:
        raise EvidenceError(f"the {what} has bytes where none may be")
    return values


def _member(kind: type[_E], value: int, what: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise EvidenceError(f"{value} is no {what} that this software knows: update it") from None
