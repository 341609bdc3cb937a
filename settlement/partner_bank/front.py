"""The bank's front: who calls, with which proof, when, and under which id. Every field of every header is looked at before anything is done."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from keys.clock import UnixMs, day_of, local
from settlement.snap import calls, fields, moments, signatures
from settlement.snap.codes import (
    BAD_REQUEST,
    CONFLICT,
    FIELD_FORMAT,
    FIELD_MISSING,
    TOKEN_INVALID,
    UNAUTHORISED,
    Case,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.partner_bank.books import Session
    from settlement.snap.calls import Call

TOKEN_SECONDS: Final = 900


class Refused(Exception):
    """A documented case that ends a call; `more` says which field."""

    def __init__(self, case: Case, more: str = "") -> None:
        super().__init__(case.title)
        self.case = case
        self.more = more


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that passed the front: who calls, and its fields."""

    client: str
    service: Service
    body: dict[str, Any]


class Front:
    """Checks calls. `secret_of` gives the secret shared with a client."""

    def __init__(self, secret_of: Callable[[str], bytes | None]) -> None:
        self._secret_of = secret_of
        self._tokens: dict[str, tuple[str, UnixMs]] = {}

    def forget_tokens(self) -> None:
        """As after a restart: every token is unknown."""
        self._tokens.clear()

    def token(self, call: Call, session: Session, now: UnixMs) -> dict[str, Any]:
        """A token for who proves to hold a client's key; raises Refused."""
        client, at = _needed(call, calls.CLIENT_KEY), _time_of(call, now)
        known = session.clients().get(client)
        text = signatures.token_text(client, at)
        if known is None or not signatures.is_asymmetric(known[1], text, _needed(call, calls.SIGNATURE)):
            raise Refused(UNAUTHORISED, "Signature")
        body = _body_of(call, Service.TOKEN)
        if body["grantType"] != "client_credentials":
            raise Refused(FIELD_FORMAT, "grantType")
        token = secrets.token_urlsafe(24)
        self._tokens[token] = (client, UnixMs(now + TOKEN_SECONDS * 1000))
        return {"accessToken": token, "tokenType": "BearerToken", "expiresIn": str(TOKEN_SECONDS)}

    def admit(self, call: Call, service: Service, session: Session, now: UnixMs) -> Asked:
        """A call whose every header is right; its external id is used up. Raises Refused."""
        at = _time_of(call, now)
        token = call.header(calls.AUTHORISATION).removeprefix("Bearer ")
        client, until = self._tokens.get(token, ("", UnixMs(0)))
        if not client or now >= until:
            raise Refused(TOKEN_INVALID)
        text = signatures.service_text(call.method, call.path, token, call.body, at)
        secret = self._secret_of(client)
        if secret is None or not signatures.is_symmetric(secret, text, _needed(call, calls.SIGNATURE)):
            raise Refused(UNAUTHORISED, "Signature")
        if _needed(call, calls.PARTNER) != session.clients()[client][0]:
            raise Refused(UNAUTHORISED, "Partner")
        _needed(call, calls.CHANNEL)
        body = _body_of(call, service)
        external_id = _needed(call, calls.EXTERNAL_ID)
        if (
            not (external_id.isascii() and external_id.isdigit())
            or len(external_id) > calls.EXTERNAL_ID_CHARACTERS_MAX
        ):
            raise Refused(FIELD_FORMAT, calls.EXTERNAL_ID)
        if not session.take_external_id(client, day_of(local(now).date()), external_id):
            raise Refused(CONFLICT)
        return Asked(client, service, body)


def _needed(call: Call, name: str) -> str:
    value = call.header(name)
    if not value:
        raise Refused(FIELD_MISSING, name)
    return value


def _time_of(call: Call, now: UnixMs) -> str:
    said = _needed(call, calls.TIMESTAMP)
    at = moments.read(said)
    if at is None:
        raise Refused(FIELD_FORMAT, calls.TIMESTAMP)
    if abs(at - now) > calls.SKEW_MS_MAX:
        raise Refused(UNAUTHORISED, "Timestamp")
    return said


def _body_of(call: Call, service: Service) -> dict[str, Any]:
    body = fields.read_body(call.body)
    if body is None:
        raise Refused(BAD_REQUEST)
    wrong = fields.request_fault(service, body)
    if wrong is not None:
        raise Refused(FIELD_MISSING if wrong.is_missing else FIELD_FORMAT, wrong.name)
    return body
