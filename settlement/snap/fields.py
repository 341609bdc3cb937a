"""Fields of the services' requests and answers: name, form, length, whether they must be there.

As the tables of each service in ASPI's developer portal have them (docs/banks.md names the pages). A few that the standard leaves open are asked for here, for a
reference makes a call safe to repeat: `partnerReferenceNo` of every request, the moments of a statement, the three numbers of a new virtual account.
"""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from keys.errors import MoneyError
from keys.money import Sen, parse, plain
from settlement.snap import moments
from settlement.snap.codes import Service

RUPIAH: Final = "IDR"
BODY_BYTES_MAX: Final = 64 * 1024
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_AMOUNT: Final = re.compile(r"\d{1,13}\.\d{2}", re.ASCII)
_AMOUNT_CHARACTERS: Final = 16
_DEPTH_MAX: Final = 20


class Form(Enum):
    """What a value must look like."""

    TEXT = auto()
    DIGITS = auto()
    AMOUNT = auto()
    """An object of `value` ("12345678.00") and `currency` ("IDR")."""
    MOMENT = auto()
    OBJECT = auto()
    """An object of the field's parts."""
    LIST = auto()
    """A list of such objects."""


_NESTED: Final = frozenset({Form.AMOUNT, Form.OBJECT, Form.LIST})


class Field(NamedTuple):
    """A field: its characters at most (an amount has its own), whether it must be there, and what an object or each of a list has in it."""

    name: str
    form: Form = Form.TEXT
    characters: int = 64
    mandatory: bool = True
    parts: tuple[Field, ...] = ()


class FieldFault(NamedTuple):
    """The first field that is wrong: missing, or not in its form."""

    name: str
    is_missing: bool


_REFERENCE: Final = Field("partnerReferenceNo")
_SOURCE: Final = Field("sourceAccountNo", Form.DIGITS, 19)
_BENEFICIARY: Final = Field("beneficiaryAccountNo", Form.DIGITS, 34)
_AMOUNT_FIELD: Final = Field("amount", Form.AMOUNT)
_DATE: Final = Field("transactionDate", Form.MOMENT, 25)
_REMARK: Final = Field("remark", Form.TEXT, 50, mandatory=False)
_ACCOUNT: Final = Field("accountNo", Form.DIGITS, 16, mandatory=False)
_TOKEN: Final = Field("bankCardToken", Form.TEXT, 128)
_HOLDERS: Final = _TOKEN._replace(mandatory=False)
"""An account of somebody else is named by its holder's consent."""
_MERCHANT: Final = Field("merchantId")
_ORIGINAL: Final = (
    Field("originalPartnerReferenceNo"),
    Field("serviceCode", Form.DIGITS, 2),
    Field("amount", Form.AMOUNT, mandatory=False),
)

REQUESTS: Final[dict[Service, tuple[Field, ...]]] = {
    Service.TOKEN: (Field("grantType", Form.TEXT, 30),),
    Service.BINDING: (_REFERENCE, _MERCHANT, Field("authCode", Form.TEXT, 256)),
    Service.BINDING_INQUIRY: (_REFERENCE,),
    Service.UNBINDING: (_REFERENCE, _MERCHANT, Field("tokenId", Form.TEXT, 128)),
    Service.BALANCE: (_REFERENCE, _ACCOUNT, _HOLDERS),
    Service.STATEMENT: (
        _REFERENCE, _ACCOUNT, Field("fromDateTime", Form.MOMENT, 25), Field("toDateTime", Form.MOMENT, 25), _HOLDERS,
    ),
    Service.ACCOUNT: (_REFERENCE, Field("beneficiaryBankCode", Form.DIGITS, 8), _BENEFICIARY),
    Service.INTRABANK: (_REFERENCE, _AMOUNT_FIELD, _BENEFICIARY, _SOURCE, _DATE, _REMARK),
    Service.INTERBANK: (
        _REFERENCE, _AMOUNT_FIELD, Field("beneficiaryAccountName", Form.TEXT, 100), _BENEFICIARY,
        Field("beneficiaryBankCode", Form.DIGITS, 8), _SOURCE, _DATE, _REMARK,
    ),
    Service.DIRECT_DEBIT: (_REFERENCE, _TOKEN, _MERCHANT, _AMOUNT_FIELD),
    Service.VIRTUAL_ACCOUNT: (
        Field("partnerServiceId", Form.TEXT, 8), Field("customerNo", Form.DIGITS, 20), Field("virtualAccountNo", Form.TEXT, 28),
        Field("virtualAccountName", Form.TEXT, 255), Field("trxId"), Field("totalAmount", Form.AMOUNT, mandatory=False),
        Field("expiredDate", Form.MOMENT, 25, mandatory=False),
    ),
    Service.VA_NOTIFY: (
        Field("partnerServiceId", Form.TEXT, 8), Field("customerNo", Form.DIGITS, 20), Field("virtualAccountNo", Form.TEXT, 28),
        Field("trxId"), Field("paymentRequestId", Form.TEXT, 128), Field("paidAmount", Form.AMOUNT),
        Field("trxDateTime", Form.MOMENT, 25, mandatory=False), Field("referenceNo", Form.TEXT, 64, mandatory=False),
    ),
    Service.STATUS: _ORIGINAL,
    Service.DEBIT_STATUS: (*_ORIGINAL, _MERCHANT._replace(mandatory=False)),
}  # fmt: skip

_LINE: Final = (
    _AMOUNT_FIELD, _DATE, Field("type", Form.TEXT, 6), Field("remark", Form.TEXT, 256, mandatory=False),
    Field("transactionId", mandatory=False),
    Field("detailInfo", Form.OBJECT, mandatory=False, parts=(_REFERENCE._replace(mandatory=False),)),
)  # fmt: skip
"""A line of a statement."""
_EITHER: Final = frozenset({Service.BALANCE, Service.STATEMENT})
"""`accountNo`, or the `bankCardToken` that stands for one."""

ANSWERS: Final[dict[Service, tuple[Field, ...]]] = {
    Service.TOKEN: (Field("accessToken", Form.TEXT, 2048), Field("tokenType", Form.TEXT, 30), Field("expiresIn", Form.DIGITS, 10)),
    Service.BINDING: (Field("accountToken", Form.TEXT, 128),),
    Service.BINDING_INQUIRY: (_ACCOUNT._replace(mandatory=True),),
    Service.UNBINDING: (),
    Service.BALANCE: (
        _ACCOUNT, Field("name", Form.TEXT, 140, mandatory=False),
        Field("accountInfos", Form.LIST, parts=(_AMOUNT_FIELD, Field("availableBalance", Form.AMOUNT, mandatory=False))),
    ),
    Service.STATEMENT: (
        Field("balance", Form.LIST, parts=(Field("endingBalance", Form.AMOUNT, mandatory=False), _AMOUNT_FIELD._replace(mandatory=False))),
        Field("detailData", Form.LIST, mandatory=False, parts=_LINE),
        Field("hasMore", Form.TEXT, 1, mandatory=False), Field("lastRecordDateTime", Form.MOMENT, 25, mandatory=False),
    ),
    Service.ACCOUNT: (_BENEFICIARY, Field("beneficiaryAccountName", Form.TEXT, 100)),
    Service.INTRABANK: (_REFERENCE, Field("referenceNo"), _AMOUNT_FIELD),
    Service.INTERBANK: (_REFERENCE, Field("referenceNo"), _AMOUNT_FIELD),
    Service.DIRECT_DEBIT: (_REFERENCE, Field("referenceNo")),
    Service.VIRTUAL_ACCOUNT: (
        Field("virtualAccountData", Form.OBJECT, mandatory=False, parts=(Field("virtualAccountNo", Form.TEXT, 28),)),
    ),
    Service.VA_NOTIFY: (),
    Service.STATUS: (
        Field("originalPartnerReferenceNo"), Field("latestTransactionStatus", Form.DIGITS, 2), _AMOUNT_FIELD,
        Field("originalReferenceNo", Form.TEXT, 64, mandatory=False),
    ),
    Service.DEBIT_STATUS: (
        Field("originalPartnerReferenceNo"), Field("latestTransactionStatus", Form.DIGITS, 2),
        Field("transAmount", Form.AMOUNT, mandatory=False), Field("originalReferenceNo", Form.TEXT, 64, mandatory=False),
    ),
}  # fmt: skip


class TransactionStatus:
    """`latestTransactionStatus` of a status inquiry."""

    SUCCESS: Final = "00"
    PENDING: Final = frozenset({"01", "02", "03"})
    FAILED: Final = frozenset({"05", "06", "07"})
    """Cancelled, failed, not found: nothing moved."""


def read_body(body: bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else, for names that stand twice, and for what is too large or nested too deep."""
    if len(body) > BODY_BYTES_MAX or body.count(b"{") + body.count(b"[") > BODY_BYTES_MAX // _DEPTH_MAX:
        return None
    try:
        read = json.loads(body, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _refuse(_name: str) -> None:
    raise ValueError


def fault(fields: tuple[Field, ...], body: dict[str, Any]) -> FieldFault | None:
    """The first field that is missing or not in its form; None where all are as they must be. Fields not known are let through."""
    for field in fields:
        value = body.get(field.name)
        if value is None or value == "":
            if field.mandatory:
                return FieldFault(field.name, is_missing=True)
        elif field.form in _NESTED:
            wrong = (
                _amount_fault(field.name, value) if field.form is Form.AMOUNT else _parts_fault(field, value)
            )
            if wrong is not None:
                return wrong
        elif not _is(field, value):
            return FieldFault(field.name, is_missing=False)
    return None


def _parts_fault(field: Field, value: Any) -> FieldFault | None:
    """The first part that is wrong of an object, or of the objects of a list; a list that must be there has one at least."""
    objects = value if field.form is Form.LIST else [value]
    if not isinstance(objects, list) or (field.mandatory and not objects):
        return FieldFault(field.name, is_missing=objects == [])
    for one in objects:
        wrong = fault(field.parts, one) if isinstance(one, dict) else FieldFault("", is_missing=False)
        if wrong is not None:
            return FieldFault(f"{field.name}.{wrong.name}".rstrip("."), wrong.is_missing)
    return None


def request_fault(service: Service, body: dict[str, Any]) -> FieldFault | None:
    """The same for a request; one that may name an account in two ways names it in one of them at least."""
    wrong = fault(REQUESTS[service], body)
    if wrong is None and service in _EITHER and not any(body.get(one.name) for one in (_ACCOUNT, _HOLDERS)):
        return FieldFault(_ACCOUNT.name, is_missing=True)
    return wrong


def _is(field: Field, value: Any) -> bool:
    if not isinstance(value, str) or len(value) > field.characters or not value.isprintable():
        return False
    if field.form is Form.DIGITS:
        return bool(_DIGITS.fullmatch(value))
    return field.form is Form.TEXT or moments.read(value) is not None


def _amount_fault(name: str, value: Any) -> FieldFault | None:
    if not isinstance(value, dict):
        return FieldFault(name, is_missing=False)
    for part in ("value", "currency"):
        if value.get(part) in (None, ""):  # a list cannot be looked up in a set
            return FieldFault(f"{name}.{part}", is_missing=True)
    said = value["value"]
    if not isinstance(said, str) or len(said) > _AMOUNT_CHARACTERS or not _AMOUNT.fullmatch(said):
        return FieldFault(f"{name}.value", is_missing=False)
    return None if value["currency"] == RUPIAH else FieldFault(f"{name}.currency", is_missing=False)


def amount(sen: Sen) -> dict[str, str]:
    """Sen as a field has them."""
    return {"value": plain(sen), "currency": RUPIAH}


def sen_of(value: Any) -> Sen | None:
    """Sen of an amount field that was checked, or of anything: None where it is none."""
    if not isinstance(value, dict) or _amount_fault("", value) is not None:
        return None
    try:
        return parse(value["value"])
    except MoneyError:
        return None


def written(body: dict[str, Any]) -> bytes:
    """A body as it is sent: minified, its names in the order given."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
