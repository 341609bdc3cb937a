r"""A payment to or from a bank, and the states it goes through.

    planned --> sent --> done
       ^         |  \--> failed
       |         v
       +----- unknown     only an inquiry leads out of here, and back to planned only once the lost call can no longer be accepted

A payment may carry money of the ledger: a hold from `debit` to `credit`, posted when it is done, given back when it failed, kept while nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from keys.clock import UnixMs
from keys.money import Rupiah, Sen, sen_of
from ledger.chart import AccountId
from ledger.transfer import Kind
from settlement.errors import PaymentInvalid
from settlement.snap import fields, moments
from settlement.snap.codes import MOVING, Service

NO_ACCOUNT: Final = AccountId(0)
NEVER: Final = UnixMs(0)
AMOUNT_MAX: Final = sen_of(Rupiah(100_000_000_000))


class State(StrEnum):
    """How far a payment is."""

    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"


OPEN: Final = (State.PLANNED, State.SENT, State.UNKNOWN)
"""States that something is still to be done about."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What is to be paid. `reference` is ours, for good; `source` our account there, or a direct debit's consent token (in no repr).

    `beneficiary` is the account that is paid: of a direct debit ours there, which the bank knows by our merchant id.
    `debit` and `credit` are the ledger's accounts, 0 where it moves nothing.
    """

    reference: str
    bank: str
    service: Service
    amount: Sen
    source: str
    beneficiary: str
    beneficiary_bank: str = ""
    beneficiary_name: str = ""
    text: str = ""
    debit: AccountId = NO_ACCOUNT
    credit: AccountId = NO_ACCOUNT
    kind: Kind = Kind.PAYOUT

    def __repr__(self) -> str:
        return f"<Payment {self.reference} {self.service.name.lower()} {self.amount} at {self.bank}>"

    def check(self) -> None:
        """Raises PaymentInvalid for what no bank would take."""
        if self.service not in MOVING:
            raise PaymentInvalid(f"{self.service.name.lower()} pays nothing")
        if not 0 < self.amount <= AMOUNT_MAX:
            raise PaymentInvalid(f"an amount of {self.amount} sen: from 1 to {AMOUNT_MAX}")
        wrong = fields.request_fault(self.service, self.body(NEVER, merchant_id=self.beneficiary))
        if wrong is not None:
            raise PaymentInvalid(
                f"{wrong.name} is {'missing' if wrong.is_missing else 'not as banks take it'}"
            )

    def body(self, at: UnixMs, merchant_id: str) -> dict[str, Any]:
        """The call's fields, in the order of the standard's tables; `merchant_id` is who we are to the bank's direct debits."""
        values = {
            "partnerReferenceNo": self.reference,
            "amount": fields.amount(self.amount),
            "beneficiaryAccountName": self.beneficiary_name,
            "beneficiaryAccountNo": self.beneficiary,
            "beneficiaryBankCode": self.beneficiary_bank,
            "merchantId": merchant_id,
            "bankCardToken": self.source,
            "sourceAccountNo": self.source,
            "transactionDate": moments.written(at),
            "remark": self.text,
        }
        return {
            field.name: values[field.name]
            for field in fields.REQUESTS[self.service]
            if values[field.name] or field.mandatory
        }


@dataclass(frozen=True, slots=True)
class Record:
    """A payment and how far it is: its hold's position, the newest call's external id and moment, what the bank said."""

    payment: Payment
    state: State
    hold: int = 0
    external_id: str = ""
    attempts: int = 0
    sent_at: UnixMs = NEVER
    code: str = ""
    bank_reference: str = ""
    created_at: UnixMs = NEVER
    changed_at: UnixMs = NEVER
