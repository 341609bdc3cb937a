"""Cards that sign without a chip: what they would have signed, from the keys that they were made with. For rehearsals, which want taps by the thousand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card import evidence, tmac
from card.apdu import Ins
from card.batch import Context, RecordStatus, TapRecord
from card.layout import (
    PURSE_LIMIT_UNREGISTERED,
    Concession,
    File,
    Identity,
    Journey,
    LogRecord,
    ReaderId,
    TapKind,
    card_number,
)
from keys.clock import Day, UnixMs
from keys.money import Rupiah
from keys.vault import Role
from ledger.intake.cards.issued import Card

if TYPE_CHECKING:
    from keys.vault import CardKey, Vault

UID_FROM: Final = 0x04_00_00_00_00_00_00
VALID_UNTIL: Final = Day(40_000)
BALANCE: Final = 1_000_000
_SPREAD: Final = 2_654_435_761
"""Knuth's multiplier: neighbours' chips have UIDs far apart, as bought ones have."""
_ONE_IN: Final = 5


@dataclass
class Rider:
    """A card in somebody's pocket: its counter, its balance in rupiah, what it signed last."""

    uid: bytes
    identity: Identity
    key: CardKey
    tmc: int = 0
    balance: int = BALANCE
    last_tmv: bytes = b""
    journey: Journey = field(default_factory=Journey)

    def registered(self) -> Card:
        """The card as the ledger knows it."""
        number = int.from_bytes(self.uid, "big")
        return Card(
            number,
            self.identity.card_number,
            registered=self.identity.registered,
            key_version=self.key.version,
            token_digest=self.uid.ljust(32, b"\0"),
        )

    def tap(
        self,
        kind: TapKind,
        amount: int,
        at: UnixMs,
        terminal: int,
        sequence: int,
        context: Context,
        *,
        moved_on: bool = False,
    ) -> TapRecord:
        """What a terminal has in its outbox after this card was held to it; `amount` in rupiah."""
        signed = amount if kind.credits_card else -amount
        tmi = self._input(kind, signed, at, terminal, sequence, moved_on=moved_on)
        seen, self.tmc, self.balance = self.tmc, self.tmc + 1, self.balance + signed
        tmv = evidence.tmv_of(self.key, self.uid, self.tmc, tmi)
        before, self.last_tmv = self.last_tmv, tmv
        return TapRecord(
            sequence, RecordStatus.CONFIRMED, kind, self.uid, self.tmc, tmv, tmi, Rupiah(signed), at, seen, before, context
        )  # fmt: skip

    def _input(
        self, kind: TapKind, signed: int, at: UnixMs, terminal: int, sequence: int, *, moved_on: bool
    ) -> bytes:
        reference = 1 << 32
        record = LogRecord(
            kind,
            Rupiah(abs(signed)),
            Rupiah(self.balance + signed),
            at // 1000,
            terminal,
            sequence,
            reference,
        )
        parts = [
            tmac.data_entry(Ins.READ_DATA, File.IDENTITY, 0, self.identity.encode()),
            tmac.data_entry(Ins.READ_DATA, File.JOURNEY, 0, self.journey.encode()),
            tmac.value_entry(Ins.GET_VALUE, File.PURSE, self.balance),
        ]
        if signed:
            parts.append(tmac.value_entry(Ins.CREDIT if signed > 0 else Ins.DEBIT, File.PURSE, abs(signed)))
        parts.append(tmac.data_entry(Ins.WRITE_RECORD, File.LOG, 0, record.encode()))
        if moved_on:
            parts.append(tmac.data_entry(Ins.WRITE_DATA, File.JOURNEY, 0, self.journey.encode()))
        reader = ReaderId(terminal, sequence, at // 1000).encode()
        parts.append(tmac.reader_entry(reader, (self.last_tmv * 2).ljust(16, b"\0")))
        return b"".join(parts)


def riders(
    vault: Vault, count: int, issuer: int = 9, first: int = 1_000_000, *, balance: int = BALANCE
) -> list[Rider]:
    """Cards with value on them, so many rupiah each; one in five is a pupil's. They are registered where that is more than others may hold."""
    version = vault.current(Role.TRANSACTION_MAC)
    made = []
    for serial in range(first, first + count):
        uid = (UID_FROM + serial * _SPREAD % (1 << 44)).to_bytes(7, "big")
        concession = Concession.GENERAL if serial % _ONE_IN else Concession.PUPIL
        identity = Identity(
            card_number(issuer, serial), issuer, 1, registered=balance > PURSE_LIMIT_UNREGISTERED, concession=concession, concession_until=VALID_UNTIL,
            valid_until=VALID_UNTIL,
        )  # fmt: skip
        made.append(Rider(uid, identity, vault.card_key(Role.TRANSACTION_MAC, version, uid), balance=balance))
    return made
