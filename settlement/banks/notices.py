"""What banks tell us: a payment into a virtual account. The server's side of SNAP: every proof checked, replays refused, money credited once.

A bank signs with its own RSA key (the asymmetric form). A call with an external id that came before on the same day is refused; the same payment under a
new id (the bank did not hear our answer) gets the same answer, and moves nothing more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from keys.clock import day_of, local, service_day
from ledger.transfer import Kind, Result, Transfer
from settlement.banks import store
from settlement.banks.payment import NEVER
from settlement.snap import calls, fields, moments, signatures
from settlement.snap.calls import Reply
from settlement.snap.codes import (
    BAD_REQUEST,
    BILL_INVALID,
    CONFLICT,
    FIELD_FORMAT,
    FIELD_MISSING,
    INCONSISTENT,
    OVER_LIMIT,
    SUCCESS,
    UNAUTHORISED,
    Case,
    ResponseCode,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keys.clock import Clock, Day, UnixMs
    from ledger.book import Ledger
    from ledger.chart import AccountId
    from ledger.transaction import PostedRows, Transaction
    from settlement.snap.calls import Call

_SERVICE: Final = Service.VA_NOTIFY
_SAID_BACK: Final = (
    "partnerServiceId",
    "customerNo",
    "virtualAccountNo",
    "trxId",
    "paymentRequestId",
    "paidAmount",
)
_PAID: Final = "00"


@dataclass(frozen=True, slots=True)
class Teller:
    """A bank that may tell us of payments: its public key, how it names itself, and which accounts a virtual account's number stands for.

    `accounts` gives the debited (our account there) and the credited one, or None for a number that is none of ours.
    """

    name: str
    public_key: str
    partner_id: str
    accounts: Callable[[str], tuple[AccountId, AccountId] | None]


class _Refused(Exception):
    def __init__(self, case: Case, more: str = "") -> None:
        super().__init__(case.title)
        self.case = case
        self.more = more


class Notices:
    """Takes banks' notices in; each is durable, with its money, before it is answered."""

    def __init__(self, ledger: Ledger, tellers: Mapping[str, Teller], clock: Clock) -> None:
        self._ledger = ledger
        self._tellers = tellers
        self._clock = clock

    def handle(self, bank: str, call: Call) -> Reply:
        """Answer a notice of a bank."""
        more = ""
        told: dict[str, Any] = {}
        try:
            case, told = self._taken(bank, call)
        except _Refused as refused:
            case, more = refused.case, refused.more
        code = str(ResponseCode.of(_SERVICE, case))
        body = fields.written(
            {"responseCode": code, "responseMessage": f"{case.title} {more}".strip(), **told}
        )
        headers = {"Content-Type": "application/json", calls.TIMESTAMP: moments.written(self._clock.now())}
        return Reply(case.status, body, headers)

    def _taken(self, bank: str, call: Call) -> tuple[Case, dict[str, Any]]:
        teller, now = self._tellers.get(bank), self._clock.now()
        if teller is None:
            raise _Refused(UNAUTHORISED, "Bank")
        at, external_id = self._proved(teller, call, now)
        body = fields.read_body(call.body)
        if body is None:
            raise _Refused(BAD_REQUEST)
        wrong = fields.request_fault(_SERVICE, body)
        if wrong is not None:
            raise _Refused(FIELD_MISSING if wrong.is_missing else FIELD_FORMAT, wrong.name)
        accounts = teller.accounts(body["virtualAccountNo"])
        if accounts is None or body["virtualAccountNo"] != body["partnerServiceId"] + body["customerNo"]:
            raise _Refused(BILL_INVALID)
        told = _told(teller.name, body, call.body, external_id, day_of(local(at).date()))
        case: Case = self._ledger.writer.submit(TakeNotice(told, *accounts)).result()
        said = {name: body[name] for name in _SAID_BACK} | {"paymentFlagStatus": _PAID}
        return case, {"virtualAccountData": said} if case is SUCCESS else {}

    def _proved(self, teller: Teller, call: Call, now: UnixMs) -> tuple[UnixMs, str]:
        said = _needed(call, calls.TIMESTAMP)
        at = moments.read(said)
        if at is None:
            raise _Refused(FIELD_FORMAT, calls.TIMESTAMP)
        if abs(at - now) > calls.SKEW_MS_MAX:
            raise _Refused(UNAUTHORISED, "Timestamp")
        text = signatures.asymmetric_text(call.method, call.path, call.body, said)
        if not signatures.is_asymmetric(teller.public_key, text, _needed(call, calls.SIGNATURE)):
            raise _Refused(UNAUTHORISED, "Signature")
        if _needed(call, calls.PARTNER) != teller.partner_id:
            raise _Refused(UNAUTHORISED, "Partner")
        _needed(call, calls.CHANNEL)
        external_id = _needed(call, calls.EXTERNAL_ID)
        if (
            not (external_id.isascii() and external_id.isdigit())
            or len(external_id) > calls.EXTERNAL_ID_CHARACTERS_MAX
        ):
            raise _Refused(FIELD_FORMAT, calls.EXTERNAL_ID)
        return at, external_id


@dataclass(slots=True)
class TakeNotice:
    """The unit that takes a notice in; answers its case."""

    told: store.Notified
    debit: AccountId
    credit: AccountId
    document: bytes = field(default=b"", init=False)
    _case: Case | None = field(default=None, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The credit, unless the call or the payment came before."""
        told = self.told
        if store.is_replay(tx.reading, told.bank, told.day, told.external_id):
            self._case = CONFLICT
            return ()
        before = store.notified(tx.reading, told.bank, told.request)
        if before is not None:
            same = (before.amount, before.account) == (told.amount, told.account)
            self._case = (SUCCESS if before.position else OVER_LIMIT) if same else INCONSISTENT
            return ()
        now = tx.received_at
        return (Transfer(self.debit, self.credit, told.amount, Kind.DEPOSIT, now, service_day(now)),)

    def settle(self, posted: PostedRows, tx: Transaction) -> Case:
        """Keep it with its position, 0 where the account's rules refuse the credit.

        A refusal is told to the bank, which gives the money back: told again, it stays refused, whatever the account may take by then.
        """
        if self._case is not None:
            return self._case
        done = next(iter(posted))
        is_credited = done.result is Result.POSTED
        told = self.told._replace(position=done.position if is_credited else 0, received_at=tx.received_at)
        store.keep_notified(tx.connection, told)
        self.document = json.dumps({"bank_notice": [told.bank, told.request, told.external_id]}).encode()
        return SUCCESS if is_credited else OVER_LIMIT


def _needed(call: Call, name: str) -> str:
    value = call.header(name)
    if not value:
        raise _Refused(FIELD_MISSING, name)
    return value


def _told(bank: str, body: dict[str, Any], sent: bytes, external_id: str, day: Day) -> store.Notified:
    paid = fields.sen_of(body["paidAmount"])
    if not paid:
        raise _Refused(FIELD_FORMAT, "paidAmount.value")
    return store.Notified(
        bank, body["paymentRequestId"], external_id, day, NEVER, paid, body["virtualAccountNo"], 0, sent
    )
