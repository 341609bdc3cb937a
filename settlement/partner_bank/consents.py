"""Consents of holders: bound by a code, looked up, ended."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from settlement.partner_bank.books import Binding
from settlement.partner_bank.front import Refused
from settlement.snap import fields
from settlement.snap.codes import ACCOUNT_INVALID, DO_NOT_HONOUR

if TYPE_CHECKING:
    from settlement.partner_bank.books import Session
    from settlement.partner_bank.front import Asked


def bind(asked: Asked, session: Session) -> dict[str, Any]:
    """A holder's code becomes a token; the same reference again gives the same one, and a code is good for one consent at a time."""
    reference, account = asked.body["partnerReferenceNo"], session.by_code(asked.body["authCode"])
    known = session.binding("reference", reference)
    if account is None or not account.is_active or (known is not None and known.account != account.number):
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


def bound(asked: Asked, session: Session) -> dict[str, Any]:
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


def unbind(asked: Asked, session: Session) -> dict[str, Any]:
    """A consent ends; one that has ended stays so."""
    found = session.binding("token", asked.body["tokenId"])
    if found is None or found.client != asked.client:
        raise Refused(ACCOUNT_INVALID)
    session.bind(found._replace(is_active=False))
    return {"partnerReferenceNo": asked.body["partnerReferenceNo"]}
