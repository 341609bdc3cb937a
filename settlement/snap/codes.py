"""Services of SNAP and the response codes HHHSSCC: HTTP status, service, case (technical standard, table of response codes)."""

from __future__ import annotations

import re
from enum import Enum, IntEnum, auto
from typing import Final, NamedTuple, Self

_FORM: Final = re.compile(r"([2-5]\d\d)(\d\d)(\d\d)", re.ASCII)


class Service(IntEnum):
    """Numbers of services, as response codes carry them."""

    BINDING = 7
    """Registration, account binding: a holder's consent becomes a token."""
    BINDING_INQUIRY = 8
    """Which account a binding stands for."""
    UNBINDING = 9
    BALANCE = 11
    STATEMENT = 14
    ACCOUNT = 16
    """External account inquiry: who holds an account at another bank."""
    INTRABANK = 17
    INTERBANK = 18
    VA_NOTIFY = 25
    VIRTUAL_ACCOUNT = 27
    STATUS = 36
    DIRECT_DEBIT = 54
    DEBIT_STATUS = 55
    TOKEN = 73


MOVING: Final = frozenset({Service.INTRABANK, Service.INTERBANK, Service.DIRECT_DEBIT})
"""Services that move money: asked for at most once, whatever is lost."""

STATUS_OF: Final = {
    Service.INTRABANK: Service.STATUS,
    Service.INTERBANK: Service.STATUS,
    Service.DIRECT_DEBIT: Service.DEBIT_STATUS,
}
"""Where one asks what became of them."""


class Verdict(Enum):
    """What a response code says of the money that a call was to move."""

    DONE = auto()
    UNDER_WAY = auto()
    REFUSED = auto()
    """Nothing moved, and nothing will."""
    NOT_NOW = auto()
    """Nothing moved; the same may be asked again later."""
    UNKNOWN = auto()
    """Nobody can tell from this: ask for the status."""


class Case(NamedTuple):
    """A documented case: its HTTP status, its number, what it says."""

    status: int
    number: int
    title: str


SUCCESS: Final = Case(200, 0, "Successful")
UNDER_WAY: Final = Case(202, 0, "Request In Progress")
BAD_REQUEST: Final = Case(400, 0, "Bad Request")
FIELD_FORMAT: Final = Case(400, 1, "Invalid Field Format")
FIELD_MISSING: Final = Case(400, 2, "Invalid Mandatory Field")
UNAUTHORISED: Final = Case(401, 0, "Unauthorized")
TOKEN_INVALID: Final = Case(401, 1, "Invalid Token (B2B)")
FORBIDDEN: Final = Case(403, 0, "Transaction Expired")
OVER_LIMIT: Final = Case(403, 2, "Exceeds Transaction Amount Limit")
DO_NOT_HONOUR: Final = Case(403, 5, "Do Not Honor")
NOT_AT_THIS_TIME: Final = Case(403, 6, "Feature Not Allowed At This Time")
SHORT: Final = Case(403, 14, "Insufficient Funds")
NOT_PERMITTED: Final = Case(403, 15, "Transaction Not Permitted")
INACTIVE: Final = Case(403, 18, "Inactive Card/Account/Customer")
NOT_FOUND: Final = Case(404, 1, "Transaction Not Found")
BANK_UNSUPPORTED: Final = Case(404, 3, "Bank Not Supported By Switch")
ACCOUNT_INVALID: Final = Case(404, 11, "Invalid Card/Account/Customer")
BILL_INVALID: Final = Case(404, 12, "Invalid Bill/Virtual Account")
AMOUNT_INVALID: Final = Case(404, 13, "Invalid Amount")
INCONSISTENT: Final = Case(404, 18, "Inconsistent Request")
NOT_SUPPORTED: Final = Case(405, 0, "Requested Function Is Not Supported")
CONFLICT: Final = Case(409, 0, "Conflict")
DUPLICATE: Final = Case(409, 1, "Duplicate partnerReferenceNo")
TOO_MANY: Final = Case(429, 0, "Too Many Requests")
GENERAL_ERROR: Final = Case(500, 0, "General Error")
INTERNAL_ERROR: Final = Case(500, 1, "Internal Server Error")
EXTERNAL_ERROR: Final = Case(500, 2, "External Server Error")
TIMED_OUT: Final = Case(504, 0, "Timeout")

CASES: Final = {
    one[:2]: one
    for one in (
        SUCCESS, UNDER_WAY, BAD_REQUEST, FIELD_FORMAT, FIELD_MISSING, UNAUTHORISED, TOKEN_INVALID, FORBIDDEN, OVER_LIMIT,
        DO_NOT_HONOUR, NOT_AT_THIS_TIME, SHORT, NOT_PERMITTED, INACTIVE, NOT_FOUND, BANK_UNSUPPORTED, ACCOUNT_INVALID, BILL_INVALID,
        AMOUNT_INVALID, INCONSISTENT, NOT_SUPPORTED, CONFLICT, DUPLICATE, TOO_MANY, GENERAL_ERROR, INTERNAL_ERROR, EXTERNAL_ERROR, TIMED_OUT,
    )
}  # fmt: skip
_BAD_REQUEST, _SERVER_FAULT, _OK = 400, 500, 200
_NOT_NOW: Final = {TOO_MANY[:2], NOT_AT_THIS_TIME[:2], UNAUTHORISED[:2], TOKEN_INVALID[:2]}
_UNKNOWN: Final = {CONFLICT[:2], DUPLICATE[:2], INCONSISTENT[:2]}
"""The reference was used before: what came of it then is asked for. For transfers the standard even has an inconsistent request taken as done."""


class ResponseCode(NamedTuple):
    """HTTP status, service and case of an answer."""

    status: int
    service: int
    case: int

    @classmethod
    def of(cls, service: Service, case: Case) -> Self:
        """The code of a documented case."""
        return cls(case.status, service, case.number)

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """From "4031714"; None where it is no code."""
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        return cls(*map(int, found.groups())) if found else None

    def __str__(self) -> str:
        return f"{self.status:03d}{self.service:02d}{self.case:02d}"

    @property
    def title(self) -> str:
        """What the standard calls it; "" where it has no such case."""
        found = CASES.get((self.status, self.case))
        return found.title if found else ""

    @property
    def verdict(self) -> Verdict:
        """What it says of the money. A case that the standard does not have is trusted only to say that nothing moved by its 4xx."""
        key = (self.status, self.case)
        if self.status == _OK:
            return Verdict.DONE
        if self.status < _BAD_REQUEST:
            return Verdict.UNDER_WAY
        if self.status >= _SERVER_FAULT or key in _UNKNOWN:
            return Verdict.UNKNOWN
        return Verdict.NOT_NOW if key in _NOT_NOW else Verdict.REFUSED
