"""The line to one bank: tokens renewed, calls signed, clocks brought together, answers read with the standard's own tables.

A line moves nothing twice by itself: it sends what it is given once, under the external id it is given. Who may ask again decides (`desk`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from keys.clock import UnixMs
from settlement.banks.breaker import Breaker
from settlement.errors import BankAnswerInvalid, BankRefused, BankSilent, BankUnreachable
from settlement.snap import calls, fields, moments, signatures
from settlement.snap.calls import Call
from settlement.snap.codes import TOKEN_INVALID, UNAUTHORISED, ResponseCode, Service, Verdict

if TYPE_CHECKING:
    from keys.clock import Clock
    from keys.partner import PartnerKeys
    from settlement.banks.dialects import Dialect
    from settlement.banks.wire import Wire
    from settlement.snap.calls import Reply

TOKEN_MARGIN_MS: Final = 30_000
"""A token is renewed so long before it runs out."""
SKEW_TRUSTED_MS_MAX: Final = 15 * 60_000
"""A bank's clock that is further off than this is not followed: somebody must look."""
SKEW_IGNORED_MS: Final = 2_000
_RENEWING: Final = frozenset({UNAUTHORISED[:2], TOKEN_INVALID[:2]})


@dataclass(frozen=True, slots=True)
class BankName:
    """Who a bank is to us, and we to it: its name here, its way of speaking, our client, partner and merchant ids there."""

    name: str
    dialect: Dialect
    client_id: str
    partner_id: str
    merchant_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A bank's answer that is the standard's: its code, and its fields."""

    code: ResponseCode
    body: dict[str, Any]

    @property
    def verdict(self) -> Verdict:
        """What it says of the money."""
        return self.code.verdict

    @property
    def must_renew(self) -> bool:
        """True where the token or the time was refused: nothing was looked at."""
        return (self.code.status, self.code.case) in _RENEWING


class BankLine:
    """Calls one bank; safe to use from several threads."""

    def __init__(
        self, bank: BankName, wire: Wire, keys: PartnerKeys, clock: Clock, breaker: Breaker | None = None
    ) -> None:
        self.bank = bank
        self._wire = wire
        self._keys = keys
        self._clock = clock
        self._breaker = breaker or Breaker(clock)
        self._token = ""
        self._token_until = UnixMs(0)
        self._skew_ms = 0
        self._gate = threading.Lock()

    def __repr__(self) -> str:
        return f"<BankLine {self.bank.name}>"

    def bank_time(self) -> UnixMs:
        """Now, on the bank's clock as its last answer showed it."""
        return UnixMs(self._clock.now() + self._skew_ms)

    def call(self, service: Service, body: dict[str, Any], external_id: str) -> Answer:
        """Send a call once and read its answer, whatever it says.

        Raises BankUnreachable, CircuitOpen where nothing of it reached the bank, BankSilent, BankAnswerInvalid where nobody knows.
        """
        token = self._fresh_token()
        sent = fields.written(body)
        path, at = self.bank.dialect.path(service), moments.written(self.bank_time())
        text = signatures.service_text("POST", path, token, sent, at)
        headers = {
            "Content-Type": "application/json",
            calls.AUTHORISATION: f"Bearer {token}",
            calls.TIMESTAMP: at,
            calls.SIGNATURE: signatures.encoded(self._keys.mac(self.bank.name, text)),
            calls.PARTNER: self.bank.partner_id,
            calls.EXTERNAL_ID: external_id,
            calls.CHANNEL: self.bank.dialect.channel,
        }
        answer = self._exchanged(service, Call("POST", path, headers, sent))
        if answer.must_renew:
            self.forget_token()
        return answer

    def forget_token(self) -> None:
        """Ask for a new token with the next call."""
        with self._gate:
            self._token = ""

    def _fresh_token(self) -> str:
        with self._gate:
            if not self._token or self._clock.now() >= self._token_until - TOKEN_MARGIN_MS:
                self._renew()
            return self._token

    def _renew(self) -> None:
        """A new token; asked for once more where the clocks were apart. No money hangs on this call: silence is as good as no way."""
        answer = self._ask_token()
        if answer.must_renew:
            answer = self._ask_token()
        if answer.verdict is not Verdict.DONE:
            raise BankUnreachable(
                f"{self.bank.name} gives no token ({answer.code} {answer.code.title}): check client id, key and clock"
            )
        self._token = answer.body["accessToken"]
        seconds = min(int(answer.body["expiresIn"]), 86_400)
        self._token_until = UnixMs(self._clock.now() + seconds * 1000)

    def _ask_token(self) -> Answer:
        at = moments.written(self.bank_time())
        proof = self._keys.signed(self.bank.name, signatures.token_text(self.bank.client_id, at))
        headers = {
            "Content-Type": "application/json",
            calls.TIMESTAMP: at,
            calls.CLIENT_KEY: self.bank.client_id,
            calls.SIGNATURE: signatures.encoded(proof),
        }
        body = fields.written({"grantType": "client_credentials"})
        try:
            return self._exchanged(
                Service.TOKEN, Call("POST", self.bank.dialect.path(Service.TOKEN), headers, body)
            )
        except (BankSilent, BankAnswerInvalid) as error:
            raise BankUnreachable(f"{self.bank.name} gives no token: {error}") from None

    def _exchanged(self, service: Service, call: Call) -> Answer:
        self._breaker.check()
        before = self._clock.now()
        try:
            reply = self._wire.send(call)
            answer = read_answer(service, reply)
        except (BankUnreachable, BankSilent, BankAnswerInvalid):
            self._breaker.failed()
            raise
        if answer.verdict is Verdict.UNKNOWN and answer.code.status >= 500:  # noqa: PLR2004  HTTP's own
            self._breaker.failed()
        else:
            self._breaker.worked()
        self._learn_skew(before, reply)
        return answer

    def _learn_skew(self, before: UnixMs, reply: Reply) -> None:
        theirs = moments.read(reply.header(calls.TIMESTAMP))
        if theirs is not None:
            off = theirs - (before + self._clock.now()) // 2
            if abs(off) <= SKEW_TRUSTED_MS_MAX:
                self._skew_ms = off if abs(off) > SKEW_IGNORED_MS else 0


def read_answer(service: Service, reply: Reply) -> Answer:
    """An answer as the standard has it: its code fits status and service, and what it must hold is there; raises BankAnswerInvalid."""
    body = fields.read_body(reply.body)
    code = ResponseCode.parse(body.get("responseCode")) if body is not None else None
    if body is None or code is None or code.status != reply.status or code.service not in {0, service}:
        raise BankAnswerInvalid(
            f"an answer of status {reply.status} without a response code of service {int(service)}"
        )
    if code.verdict is Verdict.DONE:
        wrong = fields.fault(fields.ANSWERS[service], body)
        if wrong is not None:
            raise BankAnswerInvalid(
                f"an answer {code} whose {wrong.name} is {'missing' if wrong.is_missing else 'wrong'}"
            )
    return Answer(code, body)


def accepted(answer: Answer) -> dict[str, Any]:
    """The fields of an answer that says yes; raises BankRefused for all others."""
    if answer.verdict is not Verdict.DONE:
        said = answer.body.get("responseMessage")
        more = (
            f" ({said[:100]})"
            if isinstance(said, str) and said.isprintable() and said != answer.code.title
            else ""
        )
        raise BankRefused(
            f"the bank says {answer.code} {answer.code.title or 'a case of its own'}{more}", str(answer.code)
        )
    return answer.body
