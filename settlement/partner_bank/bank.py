"""The bank itself: a call in, an answer out, and money moved at most once a reference. It can be made to fail (`faults`)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from keys.clock import UnixMs, date_of, day_of, local
from keys.money import Sen
from settlement.partner_bank.books import CLEARING, Binding, Kept
from settlement.partner_bank.faults import Fault, Faults
from settlement.partner_bank.front import Front, Refused
from settlement.snap import calls, fields, moments
from settlement.snap.calls import Reply
from settlement.snap.codes import (
    ACCOUNT_INVALID,
    BANK_UNSUPPORTED,
    BILL_INVALID,
    DO_NOT_HONOUR,
    DUPLICATE,
    GENERAL_ERROR,
    INACTIVE,
    INCONSISTENT,
    MOVING,
    NOT_AT_THIS_TIME,
    NOT_FOUND,
    NOT_PERMITTED,
    NOT_SUPPORTED,
    OVER_LIMIT,
    SHORT,
    STATUS_OF,
    SUCCESS,
    UNDER_WAY,
    Case,
    ResponseCode,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keys.clock import Clock
    from settlement.partner_bank.books import Account, Books, Entry, Session
    from settlement.partner_bank.front import Asked
    from settlement.snap.calls import Call

TRANSFER_MAX: Final = 250_000_000_00
"""BI-FAST's limit, in sen."""
STATEMENT_LINES_MAX: Final = 200
LATE_MS: Final = 60_000
"""How long an order that was answered with 202 is under way: the first call after that finds it ended."""


class NoAnswer(Exception):
    """The answer is lost, or the call was: whoever carries the call lets the line drop."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When money may move, by the city's clock: hours from and to; the same twice is always."""

    first: int = 0
    end: int = 0

    def open_at(self, now: UnixMs) -> bool:
        """True where it may now."""
        hour = local(now).hour
        return self.first == self.end or self.first <= hour < self.end


@dataclass(slots=True)
class PartnerBank:
    """`paths` name the services that it offers; `other_banks` the codes that it can send to; `late_ms` is how long it takes over what it answered with 202."""

    books: Books
    front: Front
    clock: Clock
    paths: Mapping[str, Service]
    faults: Faults = field(default_factory=Faults)
    hours: Hours = field(default_factory=Hours)
    other_banks: frozenset[str] = frozenset({"008", "014"})
    late_ms: int = LATE_MS

    def handle(self, call: Call) -> Reply:
        """Answer a call; raises NoAnswer where the line is to drop."""
        service = self.paths.get(call.path)
        if service is None or call.method != "POST":
            return self._reply(Service.TOKEN if service is None else service, NOT_SUPPORTED, {})
        fault = self.faults.draw() if service in MOVING else Fault.NONE
        if fault is Fault.LOST_BEFORE:
            raise NoAnswer
        if fault is Fault.REFUSED_BEFORE:
            return self._reply(service, GENERAL_ERROR, {})
        reply = self._answered(call, service, late=fault is Fault.UNDER_WAY)
        if fault is Fault.TWICE:
            reply = self._answered(call, service)
        if fault is Fault.LOST_AFTER:
            raise NoAnswer
        if fault is Fault.FAILED_AFTER:
            return self._reply(service, GENERAL_ERROR, {})
        return replace(reply, body=b"<html>Bad gateway</html>") if fault is Fault.GARBLED else reply

    def _answered(self, call: Call, service: Service, *, late: bool = False) -> Reply:
        """One transaction: a refusal leaves nothing behind but the external id that it used up."""
        self.finish_under_way(self.late_ms)
        now = self.clock.now()
        with self.books.session() as session:
            try:
                if service is Service.TOKEN:
                    return self._reply(service, SUCCESS, self.front.token(call, session, now))
                asked = self.front.admit(call, service, session, now)
                case, told = self._done(asked, session, now, late=late)
            except Refused as refused:
                return self._reply(service, refused.case, {}, refused.more)
        return self._reply(service, case, told)

    def _reply(self, service: Service, case: Case, told: dict[str, Any], more: str = "") -> Reply:
        code = str(ResponseCode.of(service, case))
        message = f"{case.title} {more}".strip()
        body = fields.written({"responseCode": code, "responseMessage": message, **told})
        headers = {"Content-Type": "application/json", calls.TIMESTAMP: moments.written(self.clock.now())}
        return Reply(case.status, body, headers)

    def _done(
        self, asked: Asked, session: Session, now: UnixMs, *, late: bool
    ) -> tuple[Case, dict[str, Any]]:
        if asked.service in MOVING:
            return self._moved(asked, session, now, late=late)
        ways = {
            Service.BINDING: self._binding, Service.BINDING_INQUIRY: self._bound, Service.UNBINDING: self._unbinding,
            Service.BALANCE: self._balance, Service.STATEMENT: self._statement, Service.ACCOUNT: self._account_name,
            Service.STATUS: self._status, Service.DEBIT_STATUS: self._status, Service.VIRTUAL_ACCOUNT: self._virtual_account,
        }  # fmt: skip
        way = ways.get(asked.service)
        if way is None:
            raise Refused(NOT_SUPPORTED)
        return SUCCESS, way(asked, session)

    def _moved(
        self, asked: Asked, session: Session, now: UnixMs, *, late: bool
    ) -> tuple[Case, dict[str, Any]]:
        wanted = _wanted(asked, now, session.number_of_transfers() + 1)
        before = session.kept(asked.client, wanted.reference)
        if before is not None:
            raise Refused(DUPLICATE if before.is_same(wanted) else INCONSISTENT)
        if not self.hours.open_at(now):
            raise Refused(NOT_AT_THIS_TIME)
        if wanted.amount > TRANSFER_MAX:
            raise Refused(OVER_LIMIT)
        debit, credit = self._sides(asked, wanted, session)
        if late:
            session.keep(replace(wanted, status="03"))
            return UNDER_WAY, {"partnerReferenceNo": wanted.reference}
        if debit.number != CLEARING and debit.balance < wanted.amount:
            raise Refused(SHORT)
        session.keep(wanted)
        session.move(wanted, debit.number, credit.number)
        return SUCCESS, {
            "referenceNo": wanted.bank_reference, "partnerReferenceNo": wanted.reference, "amount": fields.amount(wanted.amount),
            "beneficiaryAccountNo": wanted.beneficiary, "sourceAccountNo": debit.number,
        }  # fmt: skip

    def finish_under_way(self, late_ms: int = 0) -> int:
        """Bring what was taken at least so long ago to its end; how many. What is short by now, or no longer allowed, fails."""
        now = self.clock.now()
        with self.books.session() as session:
            waiting = [one for one in session.under_way() if one.at + late_ms <= now]
            for kept in waiting:
                self._ended(kept, session, now)
        return len(waiting)

    @staticmethod
    def _ended(kept: Kept, session: Session, now: UnixMs) -> None:
        by_consent = kept.service is Service.DIRECT_DEBIT
        debit = session.by_token(kept.client, kept.source) if by_consent else session.account(kept.source)
        to = CLEARING if kept.service is Service.INTERBANK else kept.beneficiary
        if debit is None or not debit.is_active or debit.balance < kept.amount:
            session.keep(replace(kept, status="06"))
            return
        done = replace(kept, status="00", at=now, day=day_of(local(now).date()))
        session.keep(done)
        session.move(done, debit.number, to)

    def _sides(self, asked: Asked, wanted: Kept, session: Session) -> tuple[Account, Account]:
        if asked.service is Service.DIRECT_DEBIT:
            debit = session.by_token(asked.client, wanted.source)
        else:
            debit = session.account(wanted.source)
        if asked.service is Service.INTERBANK:
            if asked.body["beneficiaryBankCode"] not in self.other_banks:
                raise Refused(BANK_UNSUPPORTED)
            credit = session.account(CLEARING)
        else:
            credit = session.account(wanted.beneficiary)
        if debit is None or credit is None or debit.number == credit.number:
            raise Refused(ACCOUNT_INVALID)
        if not (debit.is_active and credit.is_active):
            raise Refused(INACTIVE)
        return debit, credit

    def _binding(self, asked: Asked, session: Session) -> dict[str, Any]:
        """A holder's code becomes a token; the same reference again gives the same one, and a code is good for one consent at a time."""
        reference, account = asked.body["partnerReferenceNo"], session.by_code(asked.body["authCode"])
        known = session.binding("reference", reference)
        if (
            account is None
            or not account.is_active
            or (known is not None and known.account != account.number)
        ):
            raise Refused(ACCOUNT_INVALID)
        if known is None:
            held = session.binding("account", account.number)
            if held is not None and held.is_active:
                raise Refused(DO_NOT_HONOUR)
            known = Binding(secrets.token_urlsafe(24), asked.client, reference, account.number, True)
            session.bind(known)
        return {
            "referenceNo": secrets.token_hex(8),
            "partnerReferenceNo": reference,
            "accountToken": known.token,
        }

    def _bound(self, asked: Asked, session: Session) -> dict[str, Any]:
        """The account of a consent that holds."""
        reference = asked.body["partnerReferenceNo"]
        found = session.binding("reference", reference)
        account = session.by_token(asked.client, found.token) if found is not None else None
        if account is None:
            raise Refused(ACCOUNT_INVALID)
        return {
            "partnerReferenceNo": reference, "accountCurrency": fields.RUPIAH, "accountName": account.name,
            "accountNo": account.number,
        }  # fmt: skip

    def _unbinding(self, asked: Asked, session: Session) -> dict[str, Any]:
        """A consent ends; one that has ended stays so."""
        found = session.binding("token", asked.body["tokenId"])
        if found is None or found.client != asked.client:
            raise Refused(ACCOUNT_INVALID)
        session.bind(found._replace(is_active=False))
        return {"partnerReferenceNo": asked.body["partnerReferenceNo"]}

    def _told_of(self, asked: Asked, session: Session) -> Account:
        """The account that is asked after: a holder's only with the holder's consent."""
        number, token = asked.body.get("accountNo", ""), asked.body.get("bankCardToken", "")
        account = session.account(number) if number else session.by_token(asked.client, token)
        if account is None:
            raise Refused(ACCOUNT_INVALID if number else NOT_PERMITTED)
        if account.code and (not token or session.by_token(asked.client, token) != account):
            raise Refused(NOT_PERMITTED)
        return account

    def _balance(self, asked: Asked, session: Session) -> dict[str, Any]:
        account = self._told_of(asked, session)
        told = {
            "balanceType": "Cash",
            "amount": fields.amount(account.balance),
            "availableBalance": fields.amount(account.balance),
        }
        return {
            "partnerReferenceNo": asked.body["partnerReferenceNo"], "accountNo": account.number, "name": account.name,
            "accountInfos": [told],
        }  # fmt: skip

    def _statement(self, asked: Asked, session: Session) -> dict[str, Any]:
        """A page of an account's lines from a second on; where there are more, the next page begins in the second of this one's last."""
        account = self._told_of(asked, session)
        first, last = (moments.read(asked.body[name]) or 0 for name in ("fromDateTime", "toDateTime"))
        days = (day_of(local(UnixMs(at)).date()) for at in (first, last))
        told = [one for one in session.entries(account.number, *days) if first <= one.at < last + 1000]
        page = told[:STATEMENT_LINES_MAX]
        balances = {
            "amount": account.balance,
            "startingBalance": Sen(told[0].balance - told[0].amount) if told else account.balance,
            "endingBalance": told[-1].balance if told else account.balance,
        }
        at = moments.written(self.clock.now())
        more = {"lastRecordDateTime": moments.written(page[-1].at)} if len(told) > len(page) else {}
        return {
            "balance": [{name: {**fields.amount(sen), "dateTime": at} for name, sen in balances.items()}],
            "hasMore": "Y" if more else "N", **more, "detailData": [_line(one) for one in page],
        }  # fmt: skip

    def _account_name(self, asked: Asked, _session: Session) -> dict[str, Any]:
        number = asked.body["beneficiaryAccountNo"]
        if asked.body["beneficiaryBankCode"] not in self.other_banks:
            raise Refused(BANK_UNSUPPORTED)
        if number.endswith("0000"):  # by this bank's rule no other bank has such an account
            raise Refused(ACCOUNT_INVALID)
        return {"beneficiaryAccountNo": number, "beneficiaryAccountName": f"NASABAH {number[-4:]}"}

    def _status(self, asked: Asked, session: Session) -> dict[str, Any]:
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

    def _virtual_account(self, asked: Asked, session: Session) -> dict[str, Any]:
        body = asked.body
        if body["virtualAccountNo"] != body["partnerServiceId"] + body["customerNo"]:
            raise Refused(BILL_INVALID)
        text = json.dumps(body)
        if not session.open_virtual_account(
            body["virtualAccountNo"], asked.client, body["virtualAccountName"], body["trxId"], text
        ):
            raise Refused(DUPLICATE)
        return {"virtualAccountData": body}


def _line(entry: Entry) -> dict[str, Any]:
    """A line of a statement."""
    moved, at = fields.amount(Sen(abs(entry.amount))), moments.written(entry.at)
    return {
        "amount": moved, "originAmount": moved, "transactionDate": at, "remark": entry.text,
        "transactionId": entry.bank_reference, "type": "CREDIT" if entry.amount > 0 else "DEBIT",
        "detailInfo": {"partnerReferenceNo": entry.reference},
    }  # fmt: skip


def _wanted(asked: Asked, now: UnixMs, ordinal: int) -> Kept:
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
