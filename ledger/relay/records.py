"""The one record that a relayed load leaves: as a terminal's own would be, in the kiosk's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card import evidence
from card.batch import Context, RecordStatus, TapRecord, encode_record
from keys.money import Rupiah
from ledger.relay.told import GREEN, Told

if TYPE_CHECKING:
    from card.purse import Intent
    from keys.clock import UnixMs

NOT_STARTED: Final = "load-not-started"


def intended(intent: Intent, context: Context) -> TapRecord:
    """A load whose commit is about to go out."""
    change = intent.change
    return TapRecord(
        change.sequence, RecordStatus.UNCONFIRMED, change.kind, intent.uid, intent.tmc, b"", intent.tmi,
        change.signed_amount, change.at, intent.seen.tmc, intent.seen.tmv, context,
    )  # fmt: skip


def given_back(sequence: int, uid: bytes, hold: int, at: UnixMs, why: str = NOT_STARTED) -> TapRecord:
    """A load whose commit never went out: it voids its hold, and says why."""
    return TapRecord(
        sequence, RecordStatus.WITNESS, None, uid, 0, b"", b"", Rupiah(0), at, 0, b"",
        Context(rules=(why,), authorisation=hold),
    )  # fmt: skip


def encoded(record: TapRecord) -> bytes:
    """As it is kept and signed."""
    return encode_record(record)


def green(record: TapRecord, receipt: bytes) -> Told:
    """A load that the card's own value proves."""
    after = evidence.parse(record.tmi).record.balance_after
    return Told(GREEN, "paid", "", record.amount, after, record.sequence, receipt)
