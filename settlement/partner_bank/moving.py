"""Money on its way between two accounts: what is wanted, from where to where, and how what was under way ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs, date_of, day_of, local
from settlement.partner_bank.books import CLEARING, Kept
from settlement.partner_bank.front import Refused
from settlement.snap import fields
from settlement.snap.codes import ACCOUNT_INVALID, BANK_UNSUPPORTED, INACTIVE, Service

if TYPE_CHECKING:
    from settlement.partner_bank.books import Account, Session
    from settlement.partner_bank.front import Asked

TRANSFER_MAX: Final = 250_000_000_00
"""BI-FAST's limit, in sen."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When money may move, by the city's clock: hours from and to; the same twice is always."""

    first: int = 0
    end: int = 0

    def open_at(self, now: UnixMs) -> bool:
        """True where it may now."""
        hour = local(now).hour
        return self.first == self.end or self.first <= hour < self.end


def wanted(asked: Asked, now: UnixMs, ordinal: int) -> Kept:
    """The transfer that a call asks for, as it would be kept; the ordinal makes the bank's own reference."""
    body, day = asked.body, day_of(local(now).date())
    amount = fields.sen_of(body["amount"])
    assert amount is not None  # noqa: S101  its form was checked
    source = body.get("sourceAccountNo") or body["bankCardToken"]
    beneficiary = (
        body.get("beneficiaryAccountNo") or body["merchantId"]
    )  # this bank's merchants are their accounts
    return Kept(
        asked.client, body["partnerReferenceNo"], asked.service, amount, source, beneficiary,
        body.get("remark") or "", now, day, "00", f"{date_of(day):%Y%m%d}{ordinal:08d}",
    )  # fmt: skip


def sides(
    asked: Asked, wanted: Kept, session: Session, other_banks: frozenset[str]
) -> tuple[Account, Account]:
    """The accounts of both sides; raises Refused where there is none, or none that may move."""
    if asked.service is Service.DIRECT_DEBIT:
        debit = session.by_token(asked.client, wanted.source)
    else:
        debit = session.account(wanted.source)
    if asked.service is Service.INTERBANK:
        if asked.body["beneficiaryBankCode"] not in other_banks:
            raise Refused(BANK_UNSUPPORTED)
        credit = session.account(CLEARING)
    else:
        credit = session.account(wanted.beneficiary)
    if debit is None or credit is None or debit.number == credit.number:
        raise Refused(ACCOUNT_INVALID)
    if not (debit.is_active and credit.is_active):
        raise Refused(INACTIVE)
    return debit, credit


def end(kept: Kept, session: Session, now: UnixMs) -> None:
    """Bring what was under way to its end: what is short by now, or no longer allowed, fails."""
    by_consent = kept.service is Service.DIRECT_DEBIT
    debit = session.by_token(kept.client, kept.source) if by_consent else session.account(kept.source)
    to = CLEARING if kept.service is Service.INTERBANK else kept.beneficiary
    if debit is None or not debit.is_active or debit.balance < kept.amount:
        session.keep(replace(kept, status="06"))
        return
    done = replace(kept, status="00", at=now, day=day_of(local(now).date()))
    session.keep(done)
    session.move(done, debit.number, to)
