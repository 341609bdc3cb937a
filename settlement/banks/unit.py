"""Payments as units of the ledger's writer: a payment's record and its money change together, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from keys.clock import Day, service_day
from ledger.bundles.blocks import need_unblocked
from ledger.errors import WalletRefused
from ledger.transfer import Flag, Result, Transfer
from settlement.banks import store
from settlement.banks.payment import Payment, Record, State
from settlement.errors import PaymentInvalid, PaymentUnknown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from keys.clock import UnixMs
    from ledger.transaction import PostedRows, Transaction


@dataclass(slots=True)
class Plan:
    """Plans a payment and reserves its money. Answers its record, or the Result that refused the hold; planned before, the record as it is."""

    payment: Payment
    document: bytes = field(default=b"", init=False)
    _known: Record | None = field(default=None, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The hold; raises PaymentInvalid where the reference stands for another payment, or the card of the wallet that pays is blocked."""
        self._known = store.find(tx.reading, self.payment.reference)
        if self._known is not None and self._known.payment != self.payment:
            raise PaymentInvalid(f"{self.payment.reference} stands for another payment: take a new reference")
        if self._known is not None or not self.payment.debit:
            return ()
        now, one = tx.received_at, self.payment
        try:
            need_unblocked(tx.reading, one.debit)
        except WalletRefused as error:
            raise PaymentInvalid(f"{one.reference}: {error}") from None
        return (Transfer(one.debit, one.credit, one.amount, one.kind, now, service_day(now), Flag.PENDING),)

    def settle(self, posted: PostedRows, tx: Transaction) -> Record | Result:
        """Keep the record with the hold's position."""
        if self._known is not None:
            return self._known
        held = next(iter(posted), None)
        if held is not None and held.result is not Result.POSTED:
            return held.result
        now = tx.received_at
        record = Record(
            self.payment, State.PLANNED, held.position if held else 0, created_at=now, changed_at=now
        )
        store.insert(tx.connection, record)
        self.document = _document(record)
        return record


@dataclass(slots=True)
class Move:
    """Brings a payment from one of some states to another; one that is elsewhere stays. Answers the record as it is then.

    `call` is the external id of the call that this was heard of ("": of none): a payment that was sent anew since stays too.
    """

    reference: str
    before: Collection[State]
    after: State
    changes: dict[str, Any] = field(default_factory=dict)
    call: str = ""
    document: bytes = field(default=b"", init=False)
    _known: Record | None = field(default=None, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """What becomes of the hold; raises PaymentUnknown."""
        known = self._known = store.find(tx.reading, self.reference)
        if known is None:
            raise PaymentUnknown(f"no payment has the reference {self.reference}")
        # What the bank has done has happened, though the wallet was frozen meanwhile.
        done = Flag.POST_PENDING | Flag.PROVEN
        flag = {State.DONE: done, State.FAILED: Flag.VOID_PENDING}.get(self.after)
        if not self._concerns(known) or not known.hold or flag is None:
            return ()
        now, one = tx.received_at, known.payment
        return (
            Transfer(one.debit, one.credit, one.amount, one.kind, now, service_day(now), flag, known.hold),
        )

    def settle(self, posted: PostedRows, tx: Transaction) -> Record:
        """Keep the new state, unless the ledger refused what it means for the hold."""
        known = self._known
        assert known is not None  # noqa: S101  plan raised otherwise
        if not self._concerns(known):
            return known
        wrong = next((one.result for one in posted if one.result is not Result.POSTED), None)
        if wrong is not None:
            raise PaymentInvalid(
                f"{self.reference}: the ledger does not let its hold go ({wrong.name.lower()})"
            )
        record = replace(known, state=self.after, changed_at=tx.received_at, **self.changes)
        store.update(tx.connection, record)
        self.document = _document(record)
        return record

    def _concerns(self, known: Record) -> bool:
        return known.state in self.before and self.call in {"", known.external_id}


@dataclass(slots=True)
class TakeNumbers:
    """Takes numbers of a bank's day; answers the first."""

    bank: str
    day: Day
    count: int
    document: bytes = field(default=b"", init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        """No money moves."""
        return ()

    def settle(self, _posted: PostedRows, tx: Transaction) -> int:
        """Note that they are taken."""
        first = store.take_numbers(tx.connection, self.bank, self.day, self.count)
        self.document = json.dumps({"bank_numbers": [self.bank, self.day, first, self.count]}).encode()
        return first


def sending(reference: str, external_id: str, attempts: int, at: UnixMs) -> Move:
    """The move that is durable before a call goes out."""
    told = {"external_id": external_id, "attempts": attempts, "sent_at": at, "code": ""}
    return Move(reference, (State.PLANNED,), State.SENT, told)


def _document(record: Record) -> bytes:
    told = [record.payment.reference, record.state, record.external_id, record.code, record.bank_reference]
    return json.dumps({"bank_payment": told}, separators=(",", ":")).encode()
