"""Errors as HTTP says them: RFC 9457 problem details. The one place where the ledger's errors meet status codes.

A problem's `type` is a stable address below /problems/ that answers with what it means; docs/problems.md lists them all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE: Final = "application/problem+json"
ROOT: Final = "/problems/"
RETRY_SECONDS: Final = 1
_RETRIED: Final = frozenset({429, 503})


def name_of(uri: str) -> str:
    """The last part of a problem's address, which is ours and holds nothing of the caller's."""
    return uri.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: its status, its title, and what it means for the caller."""

    title: str
    status: int
    meaning: str

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.title.lower().replace(" ", "-")

    @property
    def uri(self) -> str:
        """Its address."""
        return ROOT + self.name

    def problem(self, detail: str, **more: object) -> Problem:
        """A problem of this kind; `more` are its extension members."""
        return Problem(self.uri, self.title, self.status, detail, more)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document (RFC 9457 section 3)."""

    type: str
    title: str
    status: int
    detail: str
    more: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The document's members."""
        return {
            "type": self.type, "title": self.title, "status": self.status, "detail": self.detail, **self.more,
        }  # fmt: skip

    def encoded(self) -> bytes:
        """The document's bytes."""
        return json.dumps(self.as_json(), separators=(",", ":")).encode()

    @property
    def name(self) -> str:
        """What it is called in the log."""
        return name_of(self.type)

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it: when to come back, and how to ask for a token (RFC 6750)."""
        if self.status in _RETRIED:
            return {"Retry-After": str(RETRY_SECONDS)}
        return {"WWW-Authenticate": "Bearer"} if self.status == UNAUTHORISED.status else {}


BAD_REQUEST: Final = ProblemType(
    "Bad request",
    422,
    "A field, a parameter or a body is not as the API's description says; `detail` names it.",
)
NOT_FOUND: Final = ProblemType("Not found", 404, "Nothing has this address.")
METHOD_REFUSED: Final = ProblemType("Method not allowed", 405, "The address takes other methods.")
MEDIA_TYPE: Final = ProblemType(
    "Media type refused", 415, "The body's Content-Type is not the one described."
)
TOO_SLOW: Final = ProblemType("Request too slow", 408, "The request did not arrive whole in time.")
TOO_LARGE: Final = ProblemType(
    "Batch too large", 413, "A body or a batch is over its limit: send it in parts."
)
HEAD_TOO_LARGE: Final = ProblemType(
    "Head too large", 431, "The request's line and headers are over their limit."
)
NOT_HTTP: Final = ProblemType("Not a request", 400, "The bytes are no HTTP/1.1 request.")
BUSY: Final = ProblemType(
    "Too many units waiting",
    429,
    "More is waiting than may wait. Nothing was done: come back after Retry-After.",
)
UNAUTHORISED: Final = ProblemType(
    "Token refused", 401, "The call needs `Authorization: Bearer` with a token that is known and not revoked."
)
SHORT: Final = ProblemType(
    "Insufficient funds",
    422,
    "The wallet holds less than that; `available` says how much, in sen. Nothing moved.",
)
REFUNDED: Final = ProblemType(
    "Refund exceeded",
    422,
    "A payment's refunds together give back at most the payment; `left` says what is left of it, in sen. Nothing moved.",
)
NOT_POSTED: Final = ProblemType(
    "Order not posted", 422, "The books refuse the order; `result` says why. Nothing moved."
)
CARD_BLOCKED: Final = ProblemType(
    "Card blocked", 403, "The card was blocked, by its holder or at a counter: its wallet pays nothing."
)
UNREADY: Final = ProblemType(
    "Not ready", 503, "The ledger answers, but cannot take work now; `failing` says why."
)
UNKNOWN: Final = ProblemType(
    "Ledger error", 500, "A fault of the server's own. Whether something was done is to be asked."
)

_CURSOR: Final = ProblemType(
    "Cursor refused", 400, "No page of this list gave this cursor: begin without one."
)
_OF: Final[dict[type[errors.LedgerError], ProblemType]] = {
    errors.BatchTooLarge: TOO_LARGE,
    errors.BatchMalformed: ProblemType("Not a batch", 400, "The bytes are no signed batch or request. They are kept."),
    errors.SignatureRefused: ProblemType("Signature refused", 401, "The signature is not the terminal's."),
    errors.TerminalUnknown: ProblemType("Terminal unknown", 403, "No such terminal is enrolled, or it was revoked."),
    errors.BatchOutOfOrder: ProblemType(
        "Batch out of order", 409, "Batches before this one are missing; `detail` says where to go on."
    ),
    errors.BatchConflict: ProblemType(
        "Batch conflict", 409, "These numbers were used for other records. Both are kept; somebody must look."
    ),
    errors.EnrolmentRefused: ProblemType("Enrolment refused", 403, "The code is used, late or wrong."),
    errors.HandoutRefused: ProblemType("Hand-out refused", 403, "The request for keys proves nothing, or is of another time."),
    errors.LoadRefused: ProblemType("Load refused", 422, "The card may not be loaded so: its limit, or the kiosk's rights."),
    errors.LoadSessionGone: ProblemType("Load session gone", 410, "This load is over: hold the card again to see how it ended."),
    errors.LoadStepRefused: ProblemType("Load step refused", 409, "This step is not due: a replay, or one too many."),
    errors.AccountUnknown: ProblemType("Account unknown", 404, "No account has this number."),
    errors.BlockRefused: ProblemType("Block refused", 409, "The card is blocked already, or is not."),
    errors.ArchiveRefused: ProblemType("Archive refused", 409, "The archive cannot be made, or read, as asked."),
    errors.RoleRefused: ProblemType("Role refused", 409, "The database's role cannot be let serve."),
    errors.WalletRefused: ProblemType("Wallet refused", 409, "The wallet cannot do, or take, what was asked."),
    errors.QrRefused: ProblemType("QR refused", 422, "A QR payment that cannot be made, or is none."),
    errors.DisputeRefused: ProblemType("Dispute refused", 409, "The report, or its answer, cannot be taken as asked."),
    errors.HolderRefused: ProblemType("Holder refused", 422, "Personal data that cannot be kept as given."),
    errors.SavingRefused: ProblemType("Saving refused", 409, "The saving account cannot do, or be asked, that. Nothing moved."),
    errors.BundleUnknown: ProblemType("Bundle unknown", 404, "No signed bundle has this kind and number."),
    errors.WindowClosed: ProblemType("Window closed", 409, "The business date is closed for good."),
    errors.WindowNotBegun: ProblemType("Window not begun", 409, "The business date lies ahead."),
    errors.TransferInvalid: ProblemType("Transfer invalid", 422, "No journal row can hold such a transfer."),
    errors.Overloaded: BUSY,
    errors.TokenRefused: UNAUTHORISED,
    errors.ScopeMissing: ProblemType("Scope missing", 403, "The token may not do this: ask the operator for another."),
    errors.KeyMissing: ProblemType(
        "Idempotency key missing", 400, "A call that moves money needs an Idempotency-Key of its own, such as a UUID."
    ),
    errors.KeyReused: ProblemType(
        "Idempotency key reused", 422, "The key stands for another request of yours: take a new one for new work."
    ),
    errors.KeyInUse: ProblemType(
        "Idempotency key in use", 409, "The first request with this key is still under way: ask again for its answer."
    ),
    errors.CursorRefused: _CURSOR,
    errors.CursorInvalid: _CURSOR,
    errors.OrderInvalid: ProblemType("Order invalid", 422, "The order names no card or party, or a sum that is none."),
    errors.HoldUnknown: ProblemType("Hold unknown", 404, "No hold of yours has this number."),
    errors.HoldExceeded: ProblemType("Hold exceeded", 422, "A capture takes at most what is held."),
    errors.PaymentUnknown: ProblemType("Payment unknown", 404, "This party had no such payment from the card's wallet."),
    errors.ProofUnknown: ProblemType(
        "Proof unknown", 404, "No such transaction or checkpoint, or its business date is not closed yet."
    ),
    errors.ProofInvalid: ProblemType("Proof invalid", 422, "A proof that does not prove what it says."),
    errors.ClientUnknown: ProblemType("Client unknown", 404, "No client has this name."),
    errors.StorageError: ProblemType(
        "Ledger not available", 503, "The database does not take the work now. Ask again with the same key or bytes."
    ),
}  # fmt: skip


def problem_types() -> list[ProblemType]:
    """Every kind of problem, by name."""
    own = [
        BAD_REQUEST, NOT_FOUND, METHOD_REFUSED, MEDIA_TYPE, TOO_SLOW, HEAD_TOO_LARGE, NOT_HTTP, SHORT, NOT_POSTED,
        REFUNDED, CARD_BLOCKED, UNREADY, UNKNOWN,
    ]  # fmt: skip
    return sorted({*own, *_OF.values()}, key=lambda kind: kind.name)


def type_of(error: type[errors.LedgerError]) -> ProblemType:
    """The kind of an error; the most specific entry wins."""
    for kind in error.__mro__:
        if kind in _OF:
            return _OF[kind]
    return UNKNOWN


def problem_of(error: errors.LedgerError) -> Problem:
    """The problem document of an error."""
    return type_of(type(error)).problem(str(error))
