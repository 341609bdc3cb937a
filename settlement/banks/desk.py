"""The payment desk: plans payments, sends each at most once, and finds out what became of those that got no answer.

What keeps a payment from happening twice, each by itself: it is noted as sent before the call goes out; a call without an answer is asked after,
never simply sent again; sent again it goes under the same reference, which a bank takes once; and only after the lost call is too old to be accepted.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import structlog

from keys.clock import Day, date_of, day_of, local
from ledger.bundles.blocks import need_unblocked
from ledger.errors import WalletRefused
from ledger.transfer import Result
from settlement.banks import store, unit
from settlement.banks.payment import Record, State
from settlement.errors import (
    BankAnswerInvalid,
    BankSilent,
    BankUnreachable,
    DialectUnknown,
    PaymentInvalid,
    PaymentUnknown,
)
from settlement.snap.calls import SKEW_MS_MAX
from settlement.snap.codes import NOT_FOUND, STATUS_OF, Verdict
from settlement.snap.fields import TransactionStatus, amount, sen_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keys.clock import Clock
    from ledger.book import Ledger
    from settlement.banks.line import Answer, BankLine
    from settlement.banks.payment import Payment

NUMBERS_AT_ONCE: Final = 50
"""External ids that one commit takes; those of a process that ended are left out."""
ATTEMPTS_MAX: Final = 20
"""Calls for one payment; then somebody must look."""
QUIET_MS: Final = 2 * SKEW_MS_MAX
"""After so long no bank accepts a call any more, whichever of the two clocks is wrong."""
OPEN_MAX: Final = 10_000
WITHDRAWN: Final = "revoked"
"""The code of a payment whose consent ended before it was sent."""
BLOCKED: Final = "blocked"
"""The code of a payment whose card was blocked before it was sent: its money is free to move to the card that takes its place."""
_NOT_FOUND_STATUS: Final = "07"

_log = structlog.get_logger("banks")


class ExternalIds:
    """Numbers for X-EXTERNAL-ID: unique in a bank's day, taken durably before any is used."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ready: dict[str, tuple[Day, int, int]] = {}
        self._gate = threading.Lock()

    def next(self, bank: str) -> str:
        """The next one: the day, then a number."""
        today = day_of(local(self._clock.now()).date())
        with self._gate:
            day, first, end = self._ready.get(bank, (today, 0, 0))
            if day != today or first >= end:
                first = self._ledger.writer.submit(unit.TakeNumbers(bank, today, NUMBERS_AT_ONCE)).result()
                end = first + NUMBERS_AT_ONCE
            self._ready[bank] = (today, first + 1, end)
        return f"{date_of(today):%Y%m%d}{first:010d}"


def as_it_is(payment: Payment) -> Payment:
    """A payment of which nothing is sealed."""
    return payment


class PaymentDesk:
    """Pays through banks; safe to use from several threads, for different payments."""

    def __init__(
        self, ledger: Ledger, lines: Mapping[str, BankLine], clock: Clock, opened: Callable[[Payment], Payment] = as_it_is
    ) -> None:  # fmt: skip
        """`opened` gives a payment with what is kept sealed, such as a consent's token, just before it is sent.

        It raises PaymentInvalid where there is no such thing any more: the payment fails then, for it has not been sent.
        """
        self._ledger = ledger
        self._lines = lines
        self._clock = clock
        self._opened = opened
        self.external_ids = ExternalIds(ledger, clock)

    def plan(self, payment: Payment) -> Record:
        """Note a payment and reserve its money; the same payment again gives its record as it is.

        Raises PaymentInvalid: what no bank would take, a reference used for another payment, a blocked card's wallet, a hold that the ledger refuses.
        """
        payment.check()
        self.line(payment.bank).bank.dialect.path(payment.service)
        planned = self._ledger.writer.submit(unit.Plan(payment)).result()
        if isinstance(planned, Result):
            raise PaymentInvalid(
                f"{payment.reference}: the books refuse it ({planned.name.lower().replace('_', ' ')})"
            )
        record: Record = planned
        return record

    def pay(self, payment: Payment) -> Record:
        """Plan a payment and bring it as far as it goes now; raises PaymentInvalid."""
        return self.advance(self.plan(payment).payment.reference)

    def find(self, reference: str) -> Record:
        """A payment's record; raises PaymentUnknown."""
        with self._ledger.database.transaction() as connection:
            found = store.find(connection, reference)
        if found is None:
            raise PaymentUnknown(f"no payment has the reference {reference}")
        return found

    def open_payments(self) -> list[Record]:
        """Payments that something is still to be done about."""
        with self._ledger.database.transaction() as connection:
            return store.open_payments(connection, OPEN_MAX)

    def resume(self) -> list[Record]:
        """Bring every open payment as far as it goes now: after a start, and from time to time."""
        return [self.advance(one.payment.reference) for one in self.open_payments()]

    def advance(self, reference: str) -> Record:
        """Bring a payment as far as it goes now: sent where it is planned, asked after where nobody knows. No bank's failure is raised."""
        record = self.find(reference)
        for _ in range(2):
            if record.state in {State.SENT, State.UNKNOWN}:
                record = self._inquired(record)
            if record.state is State.PLANNED:
                record = self._sent(record)
            if record.state is not State.PLANNED:
                break
        return record

    def line(self, bank: str) -> BankLine:
        """The line to a bank; raises DialectUnknown."""
        found = self._lines.get(bank)
        if found is None:
            raise DialectUnknown(f"there is no line to {bank}: add it with `hebat bank add`")
        return found

    def _move(self, move: unit.Move) -> Record:
        record: Record = self._ledger.writer.submit(move).result()
        return record

    def _may_leave(self, payment: Payment) -> None:
        """Raises WalletRefused where the card of the wallet that pays is blocked by now."""
        if payment.debit:
            with self._ledger.database.transaction() as connection:
                need_unblocked(connection, payment.debit)

    def _sent(self, record: Record) -> Record:
        payment = record.payment
        if record.attempts >= ATTEMPTS_MAX:
            return record
        try:
            self._may_leave(payment)
            sent = self._opened(payment)
        except (PaymentInvalid, WalletRefused) as error:
            code = BLOCKED if isinstance(error, WalletRefused) else WITHDRAWN
            return self._move(unit.Move(payment.reference, (State.PLANNED,), State.FAILED, {"code": code}))
        line, at = self.line(payment.bank), self._clock.now()
        external_id = self.external_ids.next(payment.bank)
        record = self._move(unit.sending(payment.reference, external_id, record.attempts + 1, at))
        if record.state is not State.SENT or record.external_id != external_id:
            return record  # somebody else was quicker
        try:
            answer = line.call(
                payment.service, sent.body(line.bank_time(), line.bank.merchant_id), external_id
            )
        except BankUnreachable as error:
            _log.warning("bank not reached", bank=payment.bank, payment=payment.reference, reason=str(error))
            return self._move(unit.Move(payment.reference, (State.SENT,), State.PLANNED, call=external_id))
        except (BankSilent, BankAnswerInvalid) as error:
            _log.warning("outcome not known", bank=payment.bank, payment=payment.reference, reason=str(error))
            return self._move(unit.Move(payment.reference, (State.SENT,), State.UNKNOWN, call=external_id))
        return self._concluded(payment, answer, external_id)

    def _concluded(self, payment: Payment, answer: Answer, external_id: str) -> Record:
        told: dict[str, Any] = {"code": str(answer.code)}
        after = {
            Verdict.DONE: State.DONE, Verdict.REFUSED: State.FAILED, Verdict.NOT_NOW: State.PLANNED,
        }.get(answer.verdict, State.UNKNOWN)  # fmt: skip
        if after is State.DONE:
            if not _is_this(payment, answer, "partnerReferenceNo"):
                after = State.UNKNOWN
            told["bank_reference"] = str(answer.body.get("referenceNo", ""))[:64]
        return self._move(unit.Move(payment.reference, (State.SENT,), after, told, external_id))

    def _inquired(self, record: Record) -> Record:
        """Ask the bank what became of a payment; nothing is known more where it does not say."""
        payment, line = record.payment, self.line(record.payment.bank)
        asked = STATUS_OF[payment.service]
        body = {
            "originalPartnerReferenceNo": payment.reference,
            "serviceCode": f"{int(payment.service):02d}",
            "amount": amount(payment.amount),
        }
        try:
            answer = line.call(asked, body, self.external_ids.next(payment.bank))
            if answer.must_renew:
                answer = line.call(asked, body, self.external_ids.next(payment.bank))
        except (BankUnreachable, BankSilent, BankAnswerInvalid) as error:
            _log.warning("status not known", bank=payment.bank, payment=payment.reference, reason=str(error))
            return record
        after, told = self._status(record, answer)
        before = (State.SENT, State.UNKNOWN)
        return self._move(unit.Move(payment.reference, before, after, told, record.external_id))

    def _status(self, record: Record, answer: Answer) -> tuple[State, dict[str, Any]]:
        told: dict[str, Any] = {"code": str(answer.code)}
        status = answer.body.get("latestTransactionStatus")
        if (answer.code.status, answer.code.case) == NOT_FOUND[:2] or status == _NOT_FOUND_STATUS:
            is_over = self._clock.now() > record.sent_at + QUIET_MS
            return (State.PLANNED if is_over else State.UNKNOWN), told
        if answer.verdict is not Verdict.DONE or not _is_this(
            record.payment, answer, "originalPartnerReferenceNo"
        ):
            return State.UNKNOWN, told
        if status == TransactionStatus.SUCCESS:
            return State.DONE, told | {"bank_reference": str(answer.body.get("originalReferenceNo", ""))[:64]}
        return (State.FAILED if status in TransactionStatus.FAILED else State.UNKNOWN), told


def _is_this(payment: Payment, answer: Answer, name: str) -> bool:
    """Whether an answer speaks of this payment: its reference, and its amount where it tells one."""
    said = answer.body.get("amount", answer.body.get("transAmount"))
    return answer.body.get(name) == payment.reference and (said is None or sen_of(said) == payment.amount)
