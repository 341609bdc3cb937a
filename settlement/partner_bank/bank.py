"""The bank itself: a call in, an answer out, and money moved at most once a reference. It can be made to fail (`faults`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from settlement.partner_bank import asking, consents, moving
from settlement.partner_bank.books import CLEARING
from settlement.partner_bank.faults import Fault, Faults
from settlement.partner_bank.front import Front, Refused
from settlement.partner_bank.moving import Hours
from settlement.snap import calls, fields, moments
from settlement.snap.calls import Reply
from settlement.snap.codes import (
    BILL_INVALID,
    DUPLICATE,
    GENERAL_ERROR,
    INCONSISTENT,
    MOVING,
    NOT_AT_THIS_TIME,
    NOT_SUPPORTED,
    OVER_LIMIT,
    SHORT,
    SUCCESS,
    UNDER_WAY,
    Case,
    ResponseCode,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keys.clock import Clock, UnixMs
    from settlement.partner_bank.books import Books, Session
    from settlement.partner_bank.front import Asked
    from settlement.snap.calls import Call

LATE_MS: Final = 60_000
"""How long an order that was answered with 202 is under way: the first call after that finds it ended."""


class NoAnswer(Exception):
    """The answer is lost, or the call was: whoever carries the call lets the line drop."""


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
        ways = _WAYS | {
            Service.STATEMENT: partial(asking.statement, now=now),
            Service.ACCOUNT: partial(asking.account_name, other_banks=self.other_banks),
        }
        way = ways.get(asked.service)
        if way is None:
            raise Refused(NOT_SUPPORTED)
        return SUCCESS, way(asked, session)

    def _moved(
        self, asked: Asked, session: Session, now: UnixMs, *, late: bool
    ) -> tuple[Case, dict[str, Any]]:
        wanted = moving.wanted(asked, now, session.number_of_transfers() + 1)
        before = session.kept(asked.client, wanted.reference)
        if before is not None:
            raise Refused(DUPLICATE if before.is_same(wanted) else INCONSISTENT)
        if not self.hours.open_at(now):
            raise Refused(NOT_AT_THIS_TIME)
        if wanted.amount > moving.TRANSFER_MAX:
            raise Refused(OVER_LIMIT)
        debit, credit = moving.sides(asked, wanted, session, self.other_banks)
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
                moving.end(kept, session, now)
        return len(waiting)


def _virtual_account(asked: Asked, session: Session) -> dict[str, Any]:
    body = asked.body
    if body["virtualAccountNo"] != body["partnerServiceId"] + body["customerNo"]:
        raise Refused(BILL_INVALID)
    text = json.dumps(body)
    if not session.open_virtual_account(
        body["virtualAccountNo"], asked.client, body["virtualAccountName"], body["trxId"], text
    ):
        raise Refused(DUPLICATE)
    return {"virtualAccountData": body}


_WAYS: Final[dict[Service, Callable[[Asked, Session], dict[str, Any]]]] = {
    Service.BINDING: consents.bind,
    Service.BINDING_INQUIRY: consents.bound,
    Service.UNBINDING: consents.unbind,
    Service.BALANCE: asking.balance,
    Service.STATUS: asking.status,
    Service.DEBIT_STATUS: asking.status,
    Service.VIRTUAL_ACCOUNT: _virtual_account,
}
