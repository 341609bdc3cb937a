"""What a batch brings into the books: a transaction on its way there, and the exceptions that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from card.layout import TapKind
from keys.clock import local
from ledger.chart import purse
from ledger.intake.bounds import Doubt
from ledger.intake.quarantine.store import ExceptionRow
from ledger.intake.reasons import ExceptionKind
from ledger.transfer import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from card.batch import TapRecord
    from ledger.bundles.blocks import BlockedThen
    from ledger.intake.cards.issued import Card
    from ledger.intake.intents import OpenIntent
    from ledger.intake.posting import Tap
    from ledger.transfer import Transfer
    from ledger.writer import Transaction


@dataclass(slots=True)
class Entry:
    """A transaction on its way into the books: the record at `place`, or an intent that this record settles."""

    tap: Tap
    card: Card
    identity: bytes
    record: TapRecord
    transfers: list[Transfer]
    place: int
    intent: OpenIntent | None = None
    void: bool = False
    unauthorised: bool = False
    doubts: tuple[Doubt, ...] = ()


def exceptions_of(entry: Entry, blocked: BlockedThen, tx: Transaction) -> list[ExceptionRow]:
    """What a posted transaction leaves to explain."""
    return [exception_row(entry, doubt, tx) for doubt in (*_found(entry, blocked, tx), *entry.doubts)]


def _found(entry: Entry, blocked: BlockedThen, tx: Transaction) -> list[Doubt]:
    found = []
    account = purse(entry.card.card_number)
    shadow = -tx.balance(account).net(account)
    if shadow > 0 and entry.transfers and not entry.void:
        told = f"the books are {shadow} sen below what the card has spent"
        found.append(Doubt(ExceptionKind.NEGATIVE_SHADOW, told))
    if entry.unauthorised:
        told = "the card was loaded without an authorisation"
        found.append(Doubt(ExceptionKind.LOAD_UNAUTHORISED, told))
    if entry.intent is not None and not entry.void:
        told = "the card shows that the unconfirmed transaction happened"
        found.append(Doubt(ExceptionKind.INTENT_SETTLED, told))
    if not entry.void:
        found += _of_block(entry, blocked)
    if entry.void:
        found.append(Doubt(ExceptionKind.INTENT_VOIDED, "the card shows that the transaction never happened"))
    return found


def _of_block(entry: Entry, blocked: BlockedThen) -> list[Doubt]:
    """A blocked card that was locked where it was seen, or one that a terminal took."""
    tap = entry.tap
    why = blocked.said(tap.uid, entry.record.occurred_at)
    if tap.transaction.record.kind is TapKind.LOCK:
        seen = f"{local(tap.occurred_at):%Y-%m-%d %H:%M}"
        told = f"blocked card seen at terminal {tap.terminal} at {seen}, and locked there"
        return [
            Doubt(ExceptionKind.CARD_LOCKED, told if why else f"{told}; it was not blocked in the books then")
        ]
    return [Doubt(ExceptionKind.CARD_BLOCKED, why)] if why else []


def rules_broken(overruled: Iterable[int]) -> list[Doubt]:
    """Which rules of its accounts a transaction broke (the engine's results): it has happened, so it is posted, and somebody must look."""
    rules = [Result(result).name.lower().replace("_", " ") for result in dict.fromkeys(overruled) if result]
    return (
        [Doubt(ExceptionKind.RULE_BROKEN, f"posted against the rules: {', '.join(rules)}")] if rules else []
    )


def exception_row(entry: Entry, doubt: Doubt, tx: Transaction) -> ExceptionRow:
    """A doubt about a transaction, as a row of the worklist."""
    tap = entry.tap
    return ExceptionRow(
        entry.card.partition, tap.uid, tap.tmc, doubt.kind, tap.terminal, tap.sequence, doubt.detail, tx.received_at
    )  # fmt: skip
