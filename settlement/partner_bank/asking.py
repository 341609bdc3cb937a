"""What may be asked of the bank: balances, statements, names of accounts, and what became of an order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from keys.clock import UnixMs, day_of, local
from keys.money import Sen
from settlement.partner_bank.front import Refused
from settlement.snap import fields, moments
from settlement.snap.codes import (
    ACCOUNT_INVALID,
    BANK_UNSUPPORTED,
    NOT_FOUND,
    NOT_PERMITTED,
    STATUS_OF,
    Service,
)

if TYPE_CHECKING:
    from settlement.partner_bank.books import Account, Entry, Session
    from settlement.partner_bank.front import Asked

STATEMENT_LINES_MAX: Final = 200


def balance(asked: Asked, session: Session) -> dict[str, Any]:
    """What an account holds."""
    account = _told_of(asked, session)
    told = {
        "balanceType": "Cash",
        "amount": fields.amount(account.balance),
        "availableBalance": fields.amount(account.balance),
    }
    return {
        "partnerReferenceNo": asked.body["partnerReferenceNo"], "accountNo": account.number, "name": account.name,
        "accountInfos": [told],
    }  # fmt: skip


def statement(asked: Asked, session: Session, now: UnixMs) -> dict[str, Any]:
    """A page of an account's lines from a second on; where there are more, the next page begins in the second of this one's last."""
    account = _told_of(asked, session)
    first, last = (moments.read(asked.body[name]) or 0 for name in ("fromDateTime", "toDateTime"))
    days = (day_of(local(UnixMs(at)).date()) for at in (first, last))
    told = [one for one in session.entries(account.number, *days) if first <= one.at < last + 1000]
    page = told[:STATEMENT_LINES_MAX]
    balances = {
        "amount": account.balance,
        "startingBalance": Sen(told[0].balance - told[0].amount) if told else account.balance,
        "endingBalance": told[-1].balance if told else account.balance,
    }
    at = moments.written(now)
    more = {"lastRecordDateTime": moments.written(page[-1].at)} if len(told) > len(page) else {}
    return {
        "balance": [{name: {**fields.amount(sen), "dateTime": at} for name, sen in balances.items()}],
        "hasMore": "Y" if more else "N", **more, "detailData": [_line(one) for one in page],
    }  # fmt: skip


def _line(entry: Entry) -> dict[str, Any]:
    """A line of a statement."""
    moved, at = fields.amount(Sen(abs(entry.amount))), moments.written(entry.at)
    return {
        "amount": moved, "originAmount": moved, "transactionDate": at, "remark": entry.text,
        "transactionId": entry.bank_reference, "type": "CREDIT" if entry.amount > 0 else "DEBIT",
        "detailInfo": {"partnerReferenceNo": entry.reference},
    }  # fmt: skip


def _told_of(asked: Asked, session: Session) -> Account:
    """The account that is asked after: a holder's only with the holder's consent."""
    number, token = asked.body.get("accountNo", ""), asked.body.get("bankCardToken", "")
    account = session.account(number) if number else session.by_token(asked.client, token)
    if account is None:
        raise Refused(ACCOUNT_INVALID if number else NOT_PERMITTED)
    if account.code and (not token or session.by_token(asked.client, token) != account):
        raise Refused(NOT_PERMITTED)
    return account


def account_name(asked: Asked, _session: Session, other_banks: frozenset[str]) -> dict[str, Any]:
    """The name on an account of another bank."""
    number = asked.body["beneficiaryAccountNo"]
    if asked.body["beneficiaryBankCode"] not in other_banks:
        raise Refused(BANK_UNSUPPORTED)
    if number.endswith("0000"):  # by this bank's rule no other bank has such an account
        raise Refused(ACCOUNT_INVALID)
    return {"beneficiaryAccountNo": number, "beneficiaryAccountName": f"NASABAH {number[-4:]}"}


def status(asked: Asked, session: Session) -> dict[str, Any]:
    """What became of an order."""
    kept = session.kept(asked.client, asked.body["originalPartnerReferenceNo"])
    if kept is None or STATUS_OF.get(kept.service) is not asked.service:
        raise Refused(NOT_FOUND)
    told = {
        "originalPartnerReferenceNo": kept.reference, "originalReferenceNo": kept.bank_reference,
        "serviceCode": f"{int(kept.service):02d}", "latestTransactionStatus": kept.status,
    }  # fmt: skip
    sum_ = fields.amount(kept.amount)
    if asked.service is Service.DEBIT_STATUS:
        return told | {"transAmount": sum_}
    sides = {"beneficiaryAccountNo": kept.beneficiary, "sourceAccountNo": kept.source}
    return told | {"amount": sum_, "referenceNumber": kept.bank_reference, **sides}
