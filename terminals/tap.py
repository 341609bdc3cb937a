"""The tap: from a card in the field to green, amber or red.

The intent is durable before the commit is sent, and the record before green is shown. A lost answer is amber: the same card tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog

from card import evidence, inspecting, purse
from card.batch import Context, RecordStatus, TapRecord
from card.errors import CardError, CardForeign, CardLost, CardRefused, SessionBroken, StatusError
from card.layout import TapKind
from keys.money import Rupiah
from keys.vault import Role
from terminals.errors import TerminalError
from terminals.fares import CardBlocked, FareRefused
from terminals.outbox_file import RecordState

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.inspecting import Inspection
    from card.layout import LogRecord
    from card.purse import Change, Intent, OpenCard
    from card.transport import Transport
    from keys.vault import Vault
    from terminals.locking import Admission
    from terminals.outbox import Outbox


_log = structlog.get_logger("terminals.tap")


class Colour(StrEnum):
    """What the screen shows, with a shape and a sound for each."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a tap; `reason` is a key of the screen's texts, `sequence` 0 where no record was made."""

    colour: Colour
    reason: str
    detail: str = ""
    amount: Rupiah = Rupiah(0)
    balance: Rupiah | None = None
    rules: tuple[str, ...] = ()
    sequence: int = 0
    most: Rupiah | None = None
    """The provisional maximum of a ride that began or ended with this tap; None where none did."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a flow wants of the card, and the context that goes up with it."""

    change: Change
    context: Context


class TapMachine:
    """Runs taps for one terminal; `lock_far` has a card locked by the ledger, for a terminal without the debit key."""

    def __init__(
        self, outbox: Outbox, vault: Vault, admission: Admission, lock_far: Callable[[Transport], None]
    ) -> None:
        self._lock_far = lock_far
        self._outbox = outbox
        self._vault = vault
        self._admission = admission

    def run(
        self,
        card: Transport,
        role: Role,
        wish: Callable[[OpenCard, int], Wish],
        wanted: Callable[[TapRecord], bool] = lambda _record: True,
    ) -> Outcome:
        """One tap; `wish` decides from the open card and the record's number what is to happen.

        An earlier tap of this card that turns out to be paid is green where it is the `wanted` one; else it is told, and this
        one is not taken yet. Never raises for what a card or a person does: every end has a colour and a reason.
        """
        return _told(
            lambda: self._recover(card, role, wanted) or self._transact(self._opened(card, role), wish)
        )

    def turned_away(self, card: Transport, refusal: FareRefused) -> Outcome:
        """The red end of a card that is not taken for a load or refund, locked on the way where it is blocked; never raises."""
        if isinstance(refusal, CardBlocked):
            self._lock(card)
        return Outcome(Colour.RED, refusal.rule, str(refusal))

    def look(self, card: Transport, role: Role) -> tuple[Outcome, Inspection | None]:
        """Look at a card: green with its balance, and what it told; red for a blocked one, which is locked; never raises, as `run`."""
        seen: list[Inspection] = []

        def looked() -> Outcome:
            self._need_taken(card, self._admission.need_unblocked)
            found = inspecting.inspected(card, self._vault, role)
            if found.locked:
                self._admission.need_released(found.records[0])
            seen.append(found)
            return Outcome(Colour.GREEN, "balance", balance=seen[0].balance)

        return _told(looked), (seen[0] if seen else None)

    def _opened(self, card: Transport, role: Role) -> OpenCard:
        """The card, read, where it is taken: a blocked one is locked and refused, a locked one needs a newer list."""
        self._need_taken(card, self._admission.need_admitted)
        open_ = purse.open_card(card, self._vault, role)
        if not open_.locked:
            return open_
        self._admission.need_released(inspecting.newest_record(card, self._vault, role))
        return purse.open_card(card, self._vault, role)

    def _need_taken(self, card: Transport, need: Callable[[bytes], None]) -> None:
        """Raises what `need` does of a card's UID; a blocked card is locked first."""
        try:
            need(card.uid)
        except CardBlocked:
            self._lock(card)
            raise

    def _lock(self, card: Transport) -> None:
        """Lock a blocked card, once. Whatever keeps it from being locked, it stays refused: the next terminal tries again."""
        try:
            if self._vault.versions(Role.DEBIT):
                self._lock_here(card)
            else:
                self._lock_far(card)
        except (CardError, TerminalError) as error:
            _log.warning("blocked card not locked", reason=str(error))

    def _lock_here(self, card: Transport) -> None:
        pending = self._outbox.open_intent(card.uid)
        if pending is not None:
            if pending.kind is not TapKind.LOCK:  # its own flow asks the card, and tells its holder
                return
            self._recover(card, Role.DEBIT, lambda _record: True)
        open_ = purse.open_card(card, self._vault, Role.DEBIT)
        if open_.journey.known and not open_.locked:
            self._transact(open_, self._admission.lock)

    def _transact(self, open_: OpenCard, wish: Callable[[OpenCard, int], Wish]) -> Outcome:
        wanted = wish(open_, self._outbox.next_sequence)
        intent = open_.stage(wanted.change)
        record = _record(intent, wanted.context)
        self._outbox.save(record, RecordState.INTENT)
        try:
            signed = open_.commit()
        except CardError as error:
            if not isinstance(error, StatusError):  # no answer of the card's: it may have acted
                return Outcome(Colour.AMBER, "tap-again", str(error), sequence=record.sequence)
            # The card said no, so it did nothing: what it showed before stands.
            self._outbox.void(record, open_.seen.tmc, open_.seen.tmv)
            raise
        self._outbox.confirm(record, signed.tmv)
        return _green(record, Rupiah(open_.balance + wanted.change.signed_amount))

    def _recover(self, card: Transport, role: Role, wanted: Callable[[TapRecord], bool]) -> Outcome | None:
        """Settle an open intent of this card by what the card shows; paid where it turns out to have committed."""
        pending = self._outbox.open_intent(card.uid)
        if pending is None:
            return None
        seen = purse.seen_now(card)
        if seen.tmc == pending.tmc - 1:
            self._outbox.void(pending, seen.tmc, seen.tmv)
            return None
        newest = inspecting.newest_record(card, self._vault, role)
        if seen.tmc == pending.tmc and newest is not None and _is_ours(newest, pending):
            self._outbox.confirm(pending, seen.tmv)
            if pending.kind is TapKind.LOCK:  # nobody paid, and what was wanted now is still to be decided
                return None
            paid = _green(pending, newest.balance_after)
            return paid if wanted(pending) else replace(paid, colour=Colour.AMBER, reason="paid-earlier")
        # Another terminal acted since: the back office settles it from what the card shows.
        self._outbox.release(pending)
        return None


def _told(act: Callable[[], Outcome]) -> Outcome:
    """What an act with a card came to: whatever it raises for what a card or a person does becomes colour and reason."""
    try:
        return act()
    except FareRefused as refusal:
        return Outcome(Colour.RED, refusal.rule, str(refusal))
    except CardForeign as error:
        return Outcome(Colour.RED, "foreign", str(error))
    except CardRefused as error:
        return Outcome(Colour.RED, error.reason, str(error))
    except (CardLost, SessionBroken) as error:
        return Outcome(Colour.AMBER, "tap-again", str(error))
    except CardError as error:
        return Outcome(Colour.RED, "unreadable", str(error))


def _is_ours(newest: LogRecord, pending: TapRecord) -> bool:
    """True where the card's last record is the one that we sent, down to our number as its terminal."""
    return evidence.parse(pending.tmi).record == newest


def _record(intent: Intent, context: Context) -> TapRecord:
    change = intent.change
    return TapRecord(
        change.sequence, RecordStatus.UNCONFIRMED, change.kind, intent.uid, intent.tmc, b"", intent.tmi,
        change.signed_amount, change.at, intent.seen.tmc, intent.seen.tmv, context,
    )  # fmt: skip


def _green(record: TapRecord, balance: Rupiah) -> Outcome:
    return Outcome(
        Colour.GREEN, "paid", amount=Rupiah(abs(record.amount)), balance=balance, rules=record.context.rules,
        sequence=record.sequence,
    )  # fmt: skip
