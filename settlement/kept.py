"""What is kept of a settled window: its closing, positions, net, service days, items and payment files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from keys.money import Sen
    from ledger.chart import Code
    from settlement.items import Item
    from settlement.positions.model import BankNet, DayLine, Purpose


@dataclass(frozen=True, slots=True)
class Settlement:
    """A settled window: its closing moment, the chain's head then, and the journal positions of its entries (0: none)."""

    business_date: Day
    closed_at: UnixMs
    head: bytes
    first_position: int
    last_position: int


@dataclass(frozen=True, slots=True)
class KeptPosition:
    """A position as it was settled, in sen."""

    purpose: Purpose
    bank: int
    code: Code
    number: int
    name: str
    gross: Sen
    refunds: Sen
    fee: Sen
    net: Sen


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """A payment file: the bytes that go to the bank, their digest, how many payments and how much they ask for."""

    business_date: Day
    bank: int
    name: str
    sha256: str
    payments: int
    total: Sen
    content: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a settled window besides its entries."""

    positions: tuple[KeptPosition, ...]
    nets: tuple[BankNet, ...]
    days: tuple[DayLine, ...]
    items: tuple[Item, ...]
    files: tuple[PaymentFile, ...]
